package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// opensearchPy is a client that programs are written with that load an index.
// It is fetched for a measurement, and nothing here needs it.
const opensearchPy = "opensearch-py==3.2.0"

//go:embed parallel_bulk.py
var parallelBulk []byte

// peers are programs that load a file of records, if they can be had, and why
// the others cannot.
func (b *bench) peers(ctx context.Context, file string) (all []loading, missing []error) {
	if err := b.fetchElasticdump(ctx); err != nil {
		missing = append(missing, fmt.Errorf("elasticdump: %w", err))
	} else {
		all = append(all, loading{"elasticdump " + elasticdumpVersion, func(ctx context.Context, index string) (cost, error) {
			return b.elasticload(ctx, file, index)
		}})
	}
	if err := b.fetchOpensearchPy(ctx); err != nil {
		return all, append(missing, fmt.Errorf("opensearch-py: %w", err))
	}
	return append(all, loading{"opensearch-py 3.2.0", func(ctx context.Context, index string) (cost, error) {
		return b.command(ctx, nil, "python3", b.path("parallel_bulk.py"), b.path("opensearch-py"), b.Search, index, file, fmt.Sprint(b.Lanes), fmt.Sprint(loadBulk))
	}}), missing
}

// elasticload copies a file into an index, with requests of about the size of
// Sluice's, over as many connections, and without its own limit of them.
func (b *bench) elasticload(ctx context.Context, file, index string) (cost, error) {
	return b.command(ctx, nil, "node", b.path("elasticdump/node_modules/elasticdump/bin/elasticdump"),
		"--input="+file, "--output="+b.Search+"/"+index, "--type=data", "--quiet=true",
		fmt.Sprint("--limit=", loadBulk/b.records("").Len()), fmt.Sprint("--concurrency=", b.Lanes), "--intervalCap=1000000")
}

// fetchOpensearchPy installs opensearch-py below the directory of the
// measurement.
func (b *bench) fetchOpensearchPy(ctx context.Context) (why error) {
	if _, err := exec.LookPath("python3"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", "-m", "pip", "install", "--quiet", "--target", b.path("opensearch-py"), opensearchPy)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pip install: %w: %.300s", err, out)
	}
	return os.WriteFile(b.path("parallel_bulk.py"), parallelBulk, 0o644)
}
