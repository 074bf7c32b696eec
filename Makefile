# `make` lists the targets. Everything works from a clean clone with Rust (rustfmt and clippy), Go and the registries.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

.PHONY: help demo tools test lint cluster crds openapi reference charts recordings release baseline

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## deliver two events to two receivers, without a cluster
	@cargo build --quiet --locked --bin hookwright --example demo
	@target/debug/examples/demo

tools: ## build what the tests run: a Kubernetes control plane, Helm and the judges of charts, redis-server, schemathesis, what example receivers stand on (once per machine)
	@tests/tools/build etcd kube-apiserver kube-controller-manager kubectl redis-server schemathesis \
		helm helm3 helm-docs kube-score kube-scheduler kwok prometheus promtool definitions \
		kstatus gopher-lua kustomize-controller kubeconform cargo-cyclonedx ca-certificates \
		flask express standard-webhooks.py standard-webhooks.mjs

test: tools ## run every test; the last line counts them
	@cargo test --workspace --all-features --locked | awk ' \
		{ print; fflush() } \
		/^test result:/ { passed += $$4; failed += $$6; ignored += $$8 } \
		END { printf "tests: %d passed, %d failed, %d skipped\n", passed, failed, ignored }'

# The advisories come from a database that is no package registry, and may be out of reach where this runs.
lint: ## check formatting, clippy, licences, bans and sources; with HOOKWRIGHT_ADVISORIES=1 also advisories
	@tests/tools/build cargo-deny
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
	@cargo fetch --quiet --locked # cargo-deny reads the crates of all platforms
	bin/cargo-deny --offline --locked check bans licenses sources
	@if [[ "$${HOOKWRIGHT_ADVISORIES:-}" == 1 ]]; then bin/cargo-deny --locked check advisories; fi

cluster: tools ## run a Kubernetes control plane with the CRDs and the operator, until Ctrl-C
	@cargo build --quiet --locked --workspace --bin hookwright --bin cluster
	@target/debug/cluster .cluster target/debug/hookwright operator --data .cluster/data --log-format text \
		--listen 127.0.0.1:8787 --egress-allow 127.0.0.0/8

crds: ## write crds/, and the chart of them, from the Rust types
	@cargo run --quiet --locked --bin hookwright -- crds | awk ' \
		$$0 == "---" { file = text = ""; next } \
		file { print > file; next } \
		{ text = text $$0 "\n" } \
		$$1 == "name:" { file = "crds/" $$2 ".yaml"; printf "%s", text > file }'
	@for crd in crds/*.yaml; do \
		awk '{ print } $$0 == "metadata:" && !n++ { print "  {{- include \"hookwright-crds.metadata\" . | nindent 2 }}" }' \
			"$$crd" > charts/hookwright-crds/templates/"$${crd##*/}"; \
	done

openapi: ## write docs/openapi.json from the routes and the Rust types
	@cargo run --quiet --locked --bin hookwright -- openapi > docs/openapi.json.new
	@mv docs/openapi.json.new docs/openapi.json

reference: ## write docs/reference from the Rust types and the command line
	@cargo run --quiet --locked --bin hookwright -- reference docs/reference

charts: crds ## write the READMEs of charts/, and the manifests that tests compare with what they render
	@tests/tools/build helm helm-docs
	@bin/helm-docs --chart-search-root charts --log-level warning
	@for values in tests/it/chart/*.values.yaml; do \
		bin/helm template hookwright charts/hookwright --namespace hookwright --values "$$values" \
			> "$${values%.values.yaml}.golden.yaml"; \
	done

recordings: tools ## write tests/it/gitops/objects/, which health checks are tested with, from objects of a real API server
	@HOOKWRIGHT_RECORD=1 cargo test --quiet --locked --test it gitops::states

# The architecture as images call it.
architecture := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,amd64)

release: ## write dist/: this version as archive, image, charts, custom resources and SBOM, with checksums
	@tests/tools/build helm cargo-cyclonedx ca-certificates
	@rm -rf dist
	@epoch=$$(packaging/date "$$(packaging/version)" < CHANGELOG.md); export SOURCE_DATE_EPOCH=$$epoch; \
	packaging/binary $(architecture) target/packaging/hookwright; \
	HOOKWRIGHT_BINARY=$$PWD/target/packaging/hookwright cargo test --quiet --locked --test it packaging::; \
	packaging/release target/packaging/hookwright $(architecture) dist
	@ls -l dist

baseline: ## after make release: keep what tests hold the next version against, in tests/it/released/
	@version=$$(packaging/version); (cd dist && sha256sum --check --quiet SHA256SUMS); \
	rm -rf tests/it/released/*/; mkdir "tests/it/released/$$version"; \
	cp dist/hookwright-"$$version".tgz dist/hookwright-crds-"$$version".yaml "tests/it/released/$$version"
