{{- define "sluice.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "sluice.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sluice.labels" -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "sluice.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "sluice.name" .) }}
{{- else }}{{ .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "sluice.claim" -}}
{{ .Values.persistence.existingClaim | default (printf "%s-state" (include "sluice.name" .)) }}
{{- end }}

{{- define "sluice.image" -}}
{{- $tag := .Values.image.tag | default (printf "%s%s" .Chart.AppVersion (ternary "-git" "" .Values.git.enabled)) -}}
{{ .Values.image.repository }}:{{ $tag }}
{{- end }}

{{/* sluice.config gives the configuration as the container gets it. */}}
{{- define "sluice.config" -}}
{{- $config := .Values.config }}
{{- if kindIs "string" $config }}
  {{- $config = fromYaml $config }}
  {{- if hasKey $config "Error" }}{{ fail (printf "config: %s" $config.Error) }}{{ end }}
{{- end }}
{{- $pipelines := dig "pipelines" dict ($config | default dict) }}
{{- if not $pipelines }}{{ fail "config: no pipelines; give it with --set-file config=sluice.yaml" }}{{ end }}
{{- if eq .Values.kind "Deployment" }}
  {{- $repeats := false }}
  {{- range $pipelines }}
    {{- if or .every .cron }}{{ $repeats = true }}{{ end }}
  {{- end }}
  {{- if not $repeats }}{{ fail "kind: Deployment is for pipelines that repeat their passes, and none has every or cron; use Job or CronJob" }}{{ end }}
{{- end }}
{{- $set := dict "state" "/state" "http" (printf "0.0.0.0:%v" .Values.port) "memory" ($config.memory | default "80MiB") }}
{{- toYaml (merge $set $config) }}
{{- end }}

{{/* sluice.bytes gives a size such as 64MiB, 500KB or 1000 in bytes. */}}
{{- define "sluice.bytes" -}}
{{- $text := toString . }}
{{- $number := regexFind "^[0-9.]+(e[+][0-9]+)?" $text }}
{{- $unit := trimPrefix $number $text | trim }}
{{- $units := dict "" 1 "B" 1 "KB" 1e3 "MB" 1e6 "GB" 1e9 "TB" 1e12 "KiB" 1024 "MiB" 1048576 "GiB" 1073741824 "TiB" 1099511627776 }}
{{- if or (not $number) (not (hasKey $units $unit)) }}{{ fail (printf "%q is not a size; write one as 64MiB, 500KB or 1GiB" $text) }}{{ end }}
{{- printf "%.0f" (mulf (float64 $number) (get $units $unit)) }}
{{- end }}

{{/* sluice.limit gives the memory of the container: that of the configuration,
the 60 MB that the process may take beside it, and that of git. */}}
{{- define "sluice.limit" -}}
{{- $config := include "sluice.config" . | fromYaml }}
{{- $bytes := addf (include "sluice.bytes" $config.memory | float64) 60e6 }}
{{- if .Values.git.enabled }}
  {{- $bytes = addf $bytes (include "sluice.bytes" .Values.git.memory | float64) }}
{{- end }}
{{- printf "%.0fMi" (ceil (divf $bytes 1048576)) }}
{{- end }}
