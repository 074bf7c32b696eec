{{/* What objects are called, and how they are told apart. */}}

{{- define "hookwright.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough that a suffix of ours fits, too. */}}
{{- define "hookwright.fullname" -}}
{{- $name := include "hookwright.name" . -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Objects of the whole cluster have the namespace of the release in their name: another release may have the same name. */}}
{{- define "hookwright.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "hookwright.fullname" .) -}}
{{- end -}}

{{- define "hookwright.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "hookwright.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: needed where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "hookwright.selector" -}}
app.kubernetes.io/name: {{ include "hookwright.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "hookwright.labels" -}}
{{ include "hookwright.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: hookwright
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "hookwright.image" -}}
{{- with .Values.image -}}
{{- $tag := default $.Chart.AppVersion .tag -}}
{{- empty .digest | ternary (printf "%s:%s" .repository $tag) (printf "%s@%s" .repository .digest) -}}
{{- end -}}
{{- end -}}

{{/* The labels that Prometheus gives to the operator's series. */}}
{{- define "hookwright.series" -}}
job={{ include "hookwright.fullname" . | quote }},namespace={{ .Release.Namespace | quote }}
{{- end -}}
