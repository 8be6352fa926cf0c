{{/* What the operator does in its own name where HelmReleases are; docs/security.md has each rule and why. */}}
{{- define "whipstaff.rules" -}}
- apiGroups: [whipstaff.dev]
  resources: [helmreleases]
  verbs: [get, list, watch, patch]
- apiGroups: [whipstaff.dev]
  resources: [helmrepositories]
  verbs: [list, watch]
- apiGroups: [whipstaff.dev]
  resources: [helmreleases/status, helmrepositories/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
- apiGroups: [""]
  resources: [configmaps, secrets]
  verbs: [list, watch]
- apiGroups: [source.toolkit.fluxcd.io]
  resources: [gitrepositories, ocirepositories, buckets, helmcharts]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, impersonate]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- end -}}

{{/* What charts may bring: RBAC forbids granting what one does not hold, so nothing less will do. */}}
{{- define "whipstaff.unrestrictedRules" -}}
- apiGroups: ["*"]
  resources: ["*"]
  verbs: ["*"]
{{- end -}}
