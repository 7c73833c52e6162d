// Package otlp pushes metrics to a collector of OpenTelemetry: a process that
// ends is gone before anybody scrapes it.
package otlp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/internal/kind"
	"sluice/internal/unit"
)

// Config is the options of pushing.
type Config struct {
	Endpoint string        `yaml:"endpoint" required:"true" doc:"Address of the collector, such as http://collector:4318; without a path, /v1/metrics is added."`
	Headers  unit.Secret   `yaml:"headers" doc:"Sent with each request, as NAME=VALUE,NAME=VALUE."`
	Every    unit.Duration `yaml:"every" default:"30s" min:"1s" doc:"How often, while pipelines run; and once at the end."`
}

// Problems checks the options.
func (c *Config) Problems() (list []kind.Problem) {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		list = append(list, kind.Problem{Option: "endpoint", Message: "this is no address such as http://collector:4318; gRPC is not spoken"})
	}
	if _, err := c.headers(); err != nil {
		list = append(list, kind.Problem{Option: "headers", Message: err.Error()})
	}
	return list
}

func (c *Config) headers() (http.Header, error) {
	h := http.Header{}
	if c.Headers == "" {
		return h, nil
	}
	for pair := range strings.SplitSeq(c.Headers.Reveal(), ",") {
		name, value, ok := strings.Cut(pair, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		plain, err := url.PathUnescape(value) // as in OTEL_EXPORTER_OTLP_HEADERS
		if !ok || name == "" || err != nil || strings.ContainsAny(name+plain, "\r\n") {
			return nil, errors.New("write them as NAME=VALUE,NAME=VALUE")
		}
		h.Set(name, plain)
	}
	return h, nil
}

func (c *Config) address() string {
	u, err := url.Parse(c.Endpoint)
	if err == nil && strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/metrics"
		return u.String()
	}
	return c.Endpoint
}

// Pusher pushes what is gathered.
type Pusher struct {
	*Config
	From    prometheus.Gatherer
	Version string    // of the program
	Began   time.Time // since when counters count
	Failed  func(error)
}

// timeout is how long a push may take, with all tries.
const timeout = 10 * time.Second

// Run pushes again and again until ctx ends, and once more then.
func (p *Pusher) Run(ctx context.Context) {
	t := time.NewTicker(time.Duration(p.Every))
	defer t.Stop()
	for {
		select {
		case <-t.C:
			p.push(ctx)
		case <-ctx.Done():
			p.push(context.WithoutCancel(ctx))
			return
		}
	}
}

func (p *Pusher) push(ctx context.Context) {
	if err := p.Push(ctx); err != nil && ctx.Err() == nil {
		p.Failed(err)
	}
}

// Push pushes once, and again if the collector has too much to do or cannot be
// reached.
func (p *Pusher) Push(ctx context.Context) error {
	families, err := p.From.Gather()
	if err != nil {
		return fmt.Errorf("otlp: gather: %w", err)
	}
	body, err := encode(families, p.Version, p.Began, time.Now())
	if err != nil {
		return fmt.Errorf("otlp: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var last error
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		last = p.post(ctx, body)
		return struct{}{}, last
	}, backoff.WithMaxTries(5))
	if err != nil && last != nil {
		err = last // not that the time was over
	}
	return err
}

func (p *Pusher) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.address(), bytes.NewReader(body))
	if err != nil {
		return backoff.Permanent(errors.New("otlp: the endpoint cannot be used"))
	}
	if req.Header, err = p.headers(); err != nil {
		return backoff.Permanent(fmt.Errorf("otlp: headers: %w", err))
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", "sluice/"+p.Version)
	resp, err := http.DefaultClient.Do(req)
	if e := new(url.Error); errors.As(err, &e) {
		err = e.Err // without the address, which may hold a password
	}
	if err != nil {
		return fmt.Errorf("otlp: %w", err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	if resp.StatusCode < 300 {
		return nil
	}
	err = fmt.Errorf("otlp: %s: %s", resp.Status, strings.TrimSpace(strings.ToValidUTF8(string(text), "?")))
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return err
	}
	return backoff.Permanent(err)
}
