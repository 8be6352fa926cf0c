{{/*
The name of the chart, or what takes its place. Kubernetes allows names of 63 characters.
*/}}
{{- define "<CHARTNAME>.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
The name of the objects: that of the release and that of the chart, but not one of them twice.
*/}}
{{- define "<CHARTNAME>.fullname" -}}
{{- $chart := .Values.nameOverride | default .Chart.Name }}
{{- $both := printf "%s-%s" .Release.Name $chart }}
{{- $name := ternary .Release.Name $both (contains $chart .Release.Name) }}
{{- .Values.fullnameOverride | default $name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
The chart and its version, as a label may hold them.
*/}}
{{- define "<CHARTNAME>.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
The labels of every object.
*/}}
{{- define "<CHARTNAME>.labels" -}}
helm.sh/chart: {{ include "<CHARTNAME>.chart" . }}
{{ include "<CHARTNAME>.selectorLabels" . }}
{{- with .Chart.AppVersion }}
app.kubernetes.io/version: {{ . | quote }}
{{- end }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/*
The labels that Pods are found by. They must not change: a Deployment keeps its selector.
*/}}
{{- define "<CHARTNAME>.selectorLabels" -}}
app.kubernetes.io/name: {{ include "<CHARTNAME>.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/*
The ServiceAccount of the Pods.
*/}}
{{- define "<CHARTNAME>.serviceAccountName" -}}
{{- $ours := include "<CHARTNAME>.fullname" . }}
{{- .Values.serviceAccount.name | default (ternary $ours "default" .Values.serviceAccount.create) }}
{{- end }}
