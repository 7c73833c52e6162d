// Manifests reads manifests of Kubernetes from standard input and says why a
// server would refuse them: each is decoded strictly, gets its defaults and is
// validated by the code of the server itself. Kinds that no server has by itself
// are passed over. Exit status 1: something was said.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/batch"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	batchvalidation "k8s.io/kubernetes/pkg/apis/batch/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
)

func main() {
	said := check(os.Stdin)
	for _, err := range said {
		fmt.Println(err)
	}
	if len(said) > 0 {
		os.Exit(1)
	}
}

// check says what is wrong with the manifests of a stream.
func check(in io.Reader) (wrong []error) {
	scheme := legacyscheme.Scheme
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	documents := yaml.NewYAMLReader(bufio.NewReader(in))
	for {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return wrong
		}
		if err != nil {
			return append(wrong, err)
		}
		obj, kind, err := decoder.Decode(text, nil, nil)
		switch {
		case runtime.IsMissingKind(err): // nothing but comments
		case kind != nil && !scheme.IsGroupRegistered(kind.Group):
		case err != nil:
			wrong = append(wrong, err)
		default:
			for _, err := range create(obj) {
				wrong = append(wrong, fmt.Errorf("%s: %w", kind.Kind, err))
			}
		}
	}
}

// create does what a server does before it stores a new object.
func create(obj runtime.Object) (wrong []error) {
	legacyscheme.Scheme.Default(obj)
	internal, err := legacyscheme.Scheme.ConvertToVersion(obj, runtime.InternalGroupVersioner)
	if err != nil {
		return []error{err}
	}
	about, err := meta.Accessor(internal)
	if err != nil {
		return []error{err}
	}
	about.SetNamespace("default")
	found, known := validate(internal)
	if !known {
		return []error{errors.New("not known here")}
	}
	for _, err := range found {
		wrong = append(wrong, err)
	}
	return wrong
}

func validate(obj runtime.Object) (found field.ErrorList, known bool) {
	switch o := obj.(type) {
	case *apps.Deployment:
		return appsvalidation.ValidateDeployment(o, corevalidation.PodValidationOptions{}), true
	case *batch.Job:
		manual := true // else the server makes a selector of what only it knows
		o.Spec.ManualSelector = &manual
		o.Spec.Selector = &metav1.LabelSelector{MatchLabels: o.Spec.Template.Labels}
		return batchvalidation.ValidateJob(o, batchvalidation.JobValidationOptions{}), true
	case *batch.CronJob:
		return batchvalidation.ValidateCronJobCreate(o, corevalidation.PodValidationOptions{}), true
	case *core.ConfigMap:
		return corevalidation.ValidateConfigMap(o), true
	case *core.PersistentVolumeClaim:
		return corevalidation.ValidatePersistentVolumeClaim(o, corevalidation.PersistentVolumeClaimSpecValidationOptions{}), true
	case *core.Service:
		return corevalidation.ValidateServiceCreate(o), true
	case *core.ServiceAccount:
		return corevalidation.ValidateServiceAccount(o), true
	case *networking.NetworkPolicy:
		return networkingvalidation.ValidateNetworkPolicy(o, networkingvalidation.NetworkPolicyValidationOptions{}), true
	}
	return nil, false
}
