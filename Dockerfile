# A static program and the certificates to trust, run by nobody in particular.
#
#   docker build -t sluice .
#   docker run -v ./sluice.yaml:/etc/sluice/sluice.yaml:ro -v sluice-state:/state sluice
#
# The configuration keeps its state under /state (state: /state), and `http:`
# has to name 0.0.0.0 to be reached from outside.
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/sluice ./cmd/sluice && mkdir /out/state

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/sluice /usr/local/bin/sluice
COPY --from=build --chown=nonroot:nonroot /out/state /state
VOLUME /state
STOPSIGNAL SIGTERM
USER nonroot:nonroot
ENTRYPOINT ["/usr/local/bin/sluice"]
CMD ["run", "-c", "/etc/sluice/sluice.yaml"]
