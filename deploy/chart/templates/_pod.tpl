{{/* sluice.pod gives the template of the pods. */}}
{{- define "sluice.pod" -}}
{{- $daemon := eq .Values.kind "Deployment" -}}
metadata:
  labels:
    {{- include "sluice.selector" . | nindent 4 }}
    {{- with .Values.pod.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.pod.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "sluice.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  restartPolicy: {{ ternary "Always" "Never" $daemon }}
  terminationGracePeriodSeconds: {{ .Values.pod.terminationGracePeriodSeconds }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.pod.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.pod.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.pod.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.pod.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: sluice
      image: {{ include "sluice.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        {{- toYaml (concat (list "run") .Values.pipelines (list "-c" "/etc/sluice/sluice.yaml") (ternary list (list "--once") $daemon) .Values.args) | nindent 8 }}
      workingDir: /state
      {{- with .Values.secrets.env }}
      envFrom:
        {{- range . }}
        - secretRef:
            name: {{ . }}
        {{- end }}
      {{- end }}
      ports:
        - name: http
          containerPort: {{ .Values.port }}
      {{- if $daemon }}
      # The state is checked and, after a crash, repaired before http answers.
      startupProbe:
        httpGet:
          path: /healthz
          port: http
        periodSeconds: 5
        failureThreshold: 60
      livenessProbe:
        httpGet:
          path: /healthz
          port: http
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet:
          path: /readyz
          port: http
        periodSeconds: 10
        timeoutSeconds: 5
      {{- end }}
      resources:
        requests:
          cpu: {{ .Values.cpu.request }}
          memory: {{ include "sluice.limit" . }}
        limits:
          {{- with .Values.cpu.limit }}
          cpu: {{ . }}
          {{- end }}
          memory: {{ include "sluice.limit" . }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        # A directory, not a file of it: a changed ConfigMap is seen only so.
        - name: config
          mountPath: /etc/sluice
          readOnly: true
        - name: state
          mountPath: /state
        - name: tmp
          mountPath: /tmp
        {{- range .Values.secrets.files }}
        - name: secret-{{ . }}
          mountPath: /run/secrets/{{ . }}
          readOnly: true
        {{- end }}
        {{- with .Values.pod.volumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "sluice.name" . }}
    - name: state
      {{- if .Values.persistence.enabled }}
      persistentVolumeClaim:
        claimName: {{ include "sluice.claim" . }}
      {{- else }}
      emptyDir: {}
      {{- end }}
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
    {{- range .Values.secrets.files }}
    - name: secret-{{ . }}
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- with .Values.pod.volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* sluice.job gives the spec of a Job. Exit statuses: 1 is tried again, 2 is a
configuration that will not get better, 3 is complete but with dead letters (trying
again would be another pass), 4 was stopped and goes on. */}}
{{- define "sluice.job" -}}
backoffLimit: {{ .Values.job.backoffLimit }}
{{- with .Values.job.activeDeadlineSeconds }}
activeDeadlineSeconds: {{ int64 . }}
{{- end }}
{{- with .Values.job.ttlSecondsAfterFinished }}
ttlSecondsAfterFinished: {{ int64 . }}
{{- end }}
# The next pod comes when the last one has gone: the state is locked by one.
podReplacementPolicy: Failed
podFailurePolicy:
  rules:
    # 2: the configuration is wrong; trying again does not help.
    # 3: complete, but there are dead letters; trying again would be a new pass.
    - action: FailJob
      onExitCodes:
        containerName: sluice
        operator: In
        values: [2, 3]
    # 4: stopped before its end. The next pod goes on, and nothing has failed.
    - action: Ignore
      onExitCodes:
        containerName: sluice
        operator: In
        values: [4]
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
template:
  {{- include "sluice.pod" . | nindent 2 }}
{{- end }}
