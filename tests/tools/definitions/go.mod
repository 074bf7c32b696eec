// The custom resource definitions of others that manifests of the charts are checked against, and that examples/gitops
// needs. Nothing is built of them.
module hookwright.dev/tests/tools/definitions

go 1.26.0

require (
	github.com/bitnami-labs/sealed-secrets v0.40.0
	github.com/external-secrets/external-secrets v1.3.2
	github.com/fluxcd/kustomize-controller v1.9.4
	github.com/fluxcd/source-controller v1.9.0
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.6.0
)
