# A static program and the certificates to trust, run by an ordinary user.
#
#   docker build -t sluice .
#   docker run -v ./sluice.yaml:/etc/sluice/sluice.yaml:ro -v sluice-state:/state sluice
#
# Such a configuration says `state: /state`, and if it has `http:`, an address
# such as 0.0.0.0:9600, which can be reached from outside.
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /root/image/usr/bin/sluice ./cmd/sluice \
 && mkdir -p -m 1777 /root/image/tmp /root/image/state

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /root/image /
USER 65532:65532
VOLUME /state
ENTRYPOINT ["/usr/bin/sluice"]
CMD ["run", "-c", "/etc/sluice/sluice.yaml"]
