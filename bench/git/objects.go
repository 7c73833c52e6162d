package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	directories = 500
	size        = 2000 // bytes of an object, about
)

// name is the key of object i behind in/.
func name(i int) string {
	d := i % directories
	return fmt.Sprintf("cluster-%d/namespace-%03d/deployment/web-%06d.yaml", d/100, d, i)
}

// text is a manifest; another for each version.
func text(i, version int) []byte {
	random := rand.New(rand.NewPCG(uint64(i), uint64(version)))
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web-%06d\n  namespace: namespace-%03d\nspec:\n  replicas: %d\n  template:\n    spec:\n      containers:\n", i, i%directories, random.IntN(9))
	for n := 0; b.Len() < size; n++ {
		fmt.Fprintf(&b, "        - name: container-%d\n          image: registry.example.org/team/%08x@sha256:%016x%016x\n          env:\n            - name: REVISION\n              value: \"%016x\"\n",
			n, random.Uint32(), random.Uint64(), random.Uint64(), random.Uint64())
	}
	return []byte(b.String())
}

// fill makes the bucket and its objects.
func (b *bench) fill(ctx context.Context) error {
	b.bucket = fmt.Sprintf("bench-git-%x", time.Now().UnixNano())
	if err := b.copier(ctx, "mb", "s3://"+b.bucket); err != nil {
		return err
	}
	all := make([]int, b.objects)
	for i := range all {
		all[i] = i
	}
	return b.upload(ctx, all, 1)
}

// change writes a hundredth of the objects anew.
func (b *bench) change(ctx context.Context) error {
	time.Sleep(2 * time.Second) // s5cmd goes by times of a second
	var some []int
	for i := 0; i < b.objects; i += 100 {
		some = append(some, i)
	}
	return b.upload(ctx, some, 2)
}

// upload puts objects into the bucket.
func (b *bench) upload(ctx context.Context, objects []int, version int) error {
	dir := filepath.Join(b.dir, fmt.Sprint("files-", version))
	defer os.RemoveAll(dir)
	for _, i := range objects {
		path := filepath.Join(dir, name(i))
		err := os.WriteFile(path, text(i, version), 0o644)
		if os.IsNotExist(err) {
			if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
				err = os.WriteFile(path, text(i, version), 0o644)
			}
		}
		if err != nil {
			return err
		}
	}
	return b.copier(ctx, "cp", dir+"/", "s3://"+b.bucket+"/in/")
}

// empty removes the bucket.
func (b *bench) empty(ctx context.Context) error {
	if err := b.copier(ctx, "rm", "s3://"+b.bucket+"/*"); err != nil {
		return err
	}
	return b.copier(ctx, "rb", "s3://"+b.bucket)
}

// copier runs s5cmd.
func (b *bench) copier(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, b.s5cmd, append([]string{"--endpoint-url", b.store.Endpoint, "--log", "error"}, args...)...)
	cmd.Env = b.env()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("s5cmd %s: %w\n%s", args[0], err, out[max(0, len(out)-2000):])
	}
	return nil
}

// env is the environment of what is run.
func (b *bench) env() []string {
	return append(os.Environ(), "AWS_ACCESS_KEY_ID="+b.store.AccessKey, "AWS_SECRET_ACCESS_KEY="+b.store.SecretKey, "AWS_REGION="+b.store.Region,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0", "S3="+b.store.Endpoint, "BUCKET="+b.bucket, "S5CMD="+b.s5cmd)
}

func lines(s string) int { return strings.Count(s, "\n") }
