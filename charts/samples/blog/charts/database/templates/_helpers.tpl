{{- define "database.fullname" -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "database.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "database.labels" -}}
{{ include "database.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The password that was given, or that the cluster holds already, or a new one; base64. */}}
{{- define "database.password" -}}
{{- $stored := lookup "v1" "Secret" .Release.Namespace (include "database.fullname" .) -}}
{{- if .Values.auth.password -}}
{{ .Values.auth.password | b64enc }}
{{- else if $stored -}}
{{ index $stored.data "password" }}
{{- else -}}
{{ randAlphaNum 24 | b64enc }}
{{- end -}}
{{- end -}}
