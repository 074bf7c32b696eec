{{/* How the operator is started. */}}

{{/* The bytes that a quantity such as 10Gi is. */}}
{{- define "hookwright.bytes" -}}
{{- $unit := regexFind "[A-Za-z]*$" . -}}
{{- $bytes := trimSuffix $unit . | int64 -}}
{{- $base := hasSuffix "i" $unit | ternary 1024 1000 -}}
{{- $powers := dict "" 0 "k" 1 "K" 1 "M" 2 "G" 3 "T" 4 -}}
{{- range until (get $powers (trimSuffix "i" $unit) | int) -}}
{{- $bytes = mul $bytes $base -}}
{{- end -}}
{{- $bytes -}}
{{- end -}}

{{/* What the database may take of the volume. */}}
{{- define "hookwright.retentionBytes" -}}
{{- $volume := include "hookwright.bytes" .Values.persistence.size | int64 -}}
{{- $given := .Values.operator.retentionBytes -}}
{{- $bytes := kindIs "invalid" $given | ternary (div (mul $volume 3) 4) (int64 $given) -}}
{{- if gt (mul $bytes 10) (mul $volume 9) -}}
{{- fail (printf "operator.retentionBytes: %d are more than nine tenths of persistence.size (%s)" $bytes .Values.persistence.size) -}}
{{- else if lt $bytes 16777216 -}}
{{- fail (printf "persistence.size: %s leave less than 16 MiB for the database" .Values.persistence.size) -}}
{{- end -}}
{{- $bytes -}}
{{- end -}}

{{- define "hookwright.arguments" -}}
- operator
- --listen={{ .Values.operator.listen }}:8787
- --data=/var/lib/hookwright
{{- range .Values.namespaces }}
- --namespace={{ . }}
{{- end }}
{{- with .Values.operator }}
{{- range .audiences }}
- --audience={{ . }}
{{- end }}
- --max-event-bytes={{ .maxEventBytes | int64 }}
- --max-in-flight={{ .maxInFlight | int64 }}
- --retention-days={{ .retentionDays | int64 }}
- --retention-bytes={{ include "hookwright.retentionBytes" $ }}
- --shutdown-grace-seconds={{ .shutdownGraceSeconds | int64 }}
- --status-writes-per-second={{ .statusWritesPerSecond | int64 }}
- --delivery-objects={{ .deliveryObjects | int64 }}
- --secret-changes={{ .secretChanges }}
- --secret-poll-seconds={{ .secretPollSeconds | int64 }}
- --log-format={{ .logFormat }}
- --log-level={{ .logLevel }}
{{- end }}
{{- range .Values.egress.allow }}
- --egress-allow={{ . }}
{{- end }}
{{- with .Values.traces }}
{{- with .endpoint }}
- --otlp-endpoint={{ . }}
{{- end }}
{{- end }}
{{- if .Values.tls.enabled }}
- --tls-cert=/etc/hookwright/tls/tls.crt
- --tls-key=/etc/hookwright/tls/tls.key
{{- end }}
{{- end -}}

{{/* A probe: a path of the API, and when to ask for it. */}}
{{- define "hookwright.probe" -}}
httpGet:
  path: {{ .path }}
  port: api
  scheme: {{ .tls | ternary "HTTPS" "HTTP" }}
{{ toYaml .when }}
{{- end -}}
