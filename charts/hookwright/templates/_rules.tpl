{{/* What the operator does in a namespace, and nothing else. */}}
{{- define "hookwright.rules" -}}
# Follows webhooks; writes those that come through its REST API, for callers who may.
- apiGroups: [hookwright.dev]
  resources: [webhooks]
  verbs: [get, list, watch, create, patch, delete]
# Sends the deliveries that people make, shows its own, and removes these again.
- apiGroups: [hookwright.dev]
  resources: [webhookdeliveries]
  verbs: [get, list, watch, create, delete]
- apiGroups: [hookwright.dev]
  resources: [webhooks/status, webhookdeliveries/status]
  verbs: [patch]
# Reads the Secrets that webhooks name; makes, replaces and removes their signing keys.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch, delete]
{{- if eq .Values.operator.secretChanges "watch" }}
# Notices changes of Secrets at once: operator.secretChanges is watch.
- apiGroups: [""]
  resources: [secrets]
  verbs: [list, watch]
{{- end }}
# Tells what happens to a webhook.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* The operator, as the subject of a binding. */}}
{{- define "hookwright.subjects" -}}
- kind: ServiceAccount
  name: {{ include "hookwright.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
