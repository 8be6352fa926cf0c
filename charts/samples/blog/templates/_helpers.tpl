{{/* The name of everything in this release: short enough for a label. */}}
{{- define "blog.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "blog.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "blog.labels" -}}
{{ include "blog.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "blog.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "blog.databaseHost" -}}
{{- if .Values.database.enabled -}}
{{ include "database.fullname" .Subcharts.database }}
{{- else -}}
{{ required "externalDatabase.host is needed when database.enabled is false" .Values.externalDatabase.host }}
{{- end -}}
{{- end -}}

{{- define "blog.databaseSecret" -}}
{{- if .Values.database.enabled -}}
{{ include "database.fullname" .Subcharts.database }}
{{- else -}}
{{ required "externalDatabase.secretName is needed when database.enabled is false" .Values.externalDatabase.secretName }}
{{- end -}}
{{- end -}}

{{/* How the blog and its jobs find the database. */}}
{{- define "blog.databaseEnvironment" -}}
- name: DATABASE_HOST
  value: {{ include "blog.databaseHost" . | quote }}
- name: DATABASE_NAME
  value: {{ .Values.database.auth.database | quote }}
- name: DATABASE_USER
  value: {{ .Values.database.auth.username | quote }}
- name: DATABASE_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "blog.databaseSecret" . }}
      key: password
{{- end -}}
