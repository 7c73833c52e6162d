# make run      the main job on embedded defaults: needs Go and make, nothing else
# make test     every test, on real servers, which it fetches and starts
# make test-stores STORES=garage,minio    on other S3 stores; default: on all three
# make test-engines ENGINES=elasticsearch-9,opensearch-1   on other search engines; default: on all seven
GO ?= go
BIN := bin/sluice
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.8.0
WITH := $(GO) run ./test/servers/with

.PHONY: build run test soak test-engines test-stores test-faults test-deploy test-monitoring test-page test-short test-mutations bench bench-read bench-load bench-s3 bench-git lint demo release clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./cmd/sluice

# Documents are generated, compressed into a directory that stands for a
# bucket, and loaded out of it again.
run: build
	rm -rf out
	$(BIN) run -c config.yaml dump
	$(BIN) run -c config.yaml load

test:
	$(WITH) -sqs $(GO) test -race -timeout 20m ./...

# The long suites: kills, faults, restarts, lost nodes, following, memory.
test-faults:
	SLUICE_TEST_FAULTS=1 SLUICE_REQUIRE_SERVERS=1 $(WITH) -sqs $(GO) test -count=1 -v -timeout 60m ./test

# Every test that speaks to a search engine, on one engine after the other.
ENGINES ?= all
test-engines:
	SLUICE_REQUIRE_SERVERS=1 $(WITH) -engines $(ENGINES) $(GO) test -count=1 -timeout 20m ./internal/letters ./internal/search ./sources/search ./sinks/search ./test

# Every test that speaks to an S3 store, on one store after the other. MinIO and
# Garage take some minutes to build, once.
STORES ?= all
test-stores:
	SLUICE_TEST_FAULTS=1 SLUICE_REQUIRE_SERVERS=1 $(WITH) -sqs -stores $(STORES) $(GO) test -count=1 -timeout 30m ./internal/objects ./sources/s3 ./sinks/s3 ./test/s3 ./test/stores

# A daemon with five pipelines, an hour of trouble. out/soak has a graph, samples
# and the log.
SOAK ?= 1h
soak:
	SLUICE_TEST_SOAK=$(SOAK) SLUICE_SOAK_OUT=$(CURDIR)/out/soak SLUICE_REQUIRE_SERVERS=1 $(GO) test -count=1 -v -timeout 3h -run TestSoak ./test

# What is in deploy, with releases for all platforms. Helm takes some minutes to
# build, once.
test-deploy:
	SLUICE_TEST_DEPLOY=1 SLUICE_TEST_FAULTS=1 SLUICE_REQUIRE_SERVERS=1 $(GO) test -count=1 -v -timeout 60m ./test/deploy

# Dashboard and alerts with the real Prometheus, beside a daemon. make test does
# it, too.
test-monitoring:
	SLUICE_REQUIRE_SERVERS=1 $(GO) test -count=1 -v -timeout 10m ./test/monitoring

# The status page in a real browser, which is fetched once. make test does it, too.
# Pictures of it are left in SHOTS.
SHOTS ?= out/page
test-page:
	SLUICE_SCREENSHOTS=$(abspath $(SHOTS)) SLUICE_REQUIRE_SERVERS=1 $(GO) test -count=1 -v -timeout 10m ./test/page

test-short:
	$(GO) test -short ./...

test-mutations:
	$(WITH) ./test/mutations/run.sh

# CPU seconds per GB beside the floor, and allocations per record.
bench: build
	SLUICE_REQUIRE_SERVERS=1 $(WITH) $(GO) run ./bench -sluice $(BIN)

# Each way of reading an index, beside a reader of pages that it throws away, the
# compression alone, and elasticdump.
DOCS ?= 200000
RUNS ?= 1
bench-read: build
	SLUICE_REQUIRE_SERVERS=1 $(WITH) $(GO) run ./bench -read -documents $(DOCS) -lanes 4 -runs $(RUNS) -sluice $(BIN)

# Documents into an index that indexes them, beside requests that are ready,
# elasticdump and opensearch-py.
bench-load: build
	SLUICE_REQUIRE_SERVERS=1 $(WITH) $(GO) run ./bench -load -documents $(DOCS) -lanes 2 -runs $(RUNS) -sluice $(BIN)

# Small objects, known keys and a large object of S3, beside s5cmd or a floor.
PARTS ?= small,known,big
OBJECTS ?= 5000
KEYS ?= 1000000
BIG ?= 1GiB
bench-s3: build
	SLUICE_REQUIRE_SERVERS=1 $(WITH) -stores versitygw $(GO) run ./bench/s3 -parts $(PARTS) -objects $(OBJECTS) -keys $(KEYS) -big $(BIG) -runs $(RUNS) -sluice $(BIN)

# A bucket kept as Git history, beside a shell script that does it:
# make bench-git OBJECTS=100000
bench-git: build
	SLUICE_REQUIRE_SERVERS=1 $(WITH) -stores versitygw $(GO) run ./bench/git -objects $(OBJECTS) -sluice $(BIN)

lint:
	@files=$$(gofmt -l .); test -z "$$files" || { echo "gofmt -w $$files"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@out=$$($(GO) run $(GOVULNCHECK) ./... 2>&1) || { \
	case $$out in *"fetching vulnerabilities"*) echo "govulncheck: not run, its database cannot be reached from here";; *) echo "$$out"; exit 1;; esac; }

# An index on a real OpenSearch is dumped to a real S3 store and loaded back.
demo: build
	SLUICE_REQUIRE_SERVERS=1 $(WITH) $(GO) run ./test/demo $(BIN)

# Archives for each platform with bills of materials, the chart and checksums, into
# dist: of a commit always the same bytes.
release:
	$(GO) run ./deploy/release

clean:
	rm -rf bin dist out
