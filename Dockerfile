# The operator's image: one static binary, what it trusts, and nothing else. Needs BuildKit or Podman.
#
#   docker build --tag REPOSITORY:VERSION .
#   docker buildx build --platform linux/amd64,linux/arm64 --tag REPOSITORY:VERSION --push .
#
# The steps are the scripts of packaging/, which the tests run, too.

# Other architectures are built by a cross compiler: nothing is emulated.
FROM --platform=$BUILDPLATFORM rust:1.95-trixie AS build
ARG BUILDARCH
ARG TARGETARCH
RUN set -e; \
    packages=ca-certificates; \
    if [ "$TARGETARCH" != "$BUILDARCH" ]; then \
        case $TARGETARCH in \
            amd64) gcc=x86-64-linux-gnu rust=x86_64-unknown-linux-gnu ;; \
            arm64) gcc=aarch64-linux-gnu rust=aarch64-unknown-linux-gnu ;; \
        esac; \
        packages="$packages gcc-$gcc libc6-dev-$TARGETARCH-cross"; \
        rustup target add "$rust"; \
    fi; \
    apt-get update; \
    apt-get install --yes --no-install-recommends $packages; \
    rm -r /var/lib/apt/lists/*
WORKDIR /build/hookwright
COPY . .
# The time of the files; `SOURCE_DATE_EPOCH=$(packaging/date VERSION < CHANGELOG.md)` in the environment of buildx sets it.
ARG SOURCE_DATE_EPOCH=0
RUN packaging/binary "$TARGETARCH" /built/hookwright
RUN packaging/sbom "$TARGETARCH" /built/sbom.cdx.json
RUN packaging/image-root /built/hookwright /etc/ssl/certs/ca-certificates.crt /built/sbom.cdx.json /image

FROM scratch
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Hookwright"
LABEL org.opencontainers.image.description="Webhooks as Kubernetes objects: signed, retried, durable delivery from one operator"
LABEL org.opencontainers.image.licenses="Apache-2.0"
LABEL org.opencontainers.image.url="https://hookwright.dev"
LABEL org.opencontainers.image.version="$VERSION"
COPY --from=build --chown=0:0 /image/ /
COPY --from=build --chown=65532:65532 /image/var/lib/hookwright/ /var/lib/hookwright/
ENV PATH=/usr/local/bin
EXPOSE 8787/tcp
USER 65532:65532
ENTRYPOINT ["hookwright"]
CMD ["operator"]
