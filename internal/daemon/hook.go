package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"sluice/internal/kind"
	"sluice/internal/ops"
	"sluice/internal/unit"
)

// Hook is the options of one that is told how a pass ended.
type Hook struct {
	After   string        `yaml:"after" default:"any" enum:"complete|partial|failed|any" doc:"After which passes: by how they ended. Of failures in a row, the first counts; a pass that was stopped has not ended, and one of many that finds nothing new is not told of."`
	Command []string      `yaml:"command" doc:"A program and its arguments, not a line of a shell: it gets the report of the pass as JSON on its standard input, SLUICE_PIPELINE and SLUICE_OUTCOME in its environment, and has failed if its exit status is not 0."`
	Webhook *Webhook      `yaml:"webhook" doc:"In the place of command: the report is sent with POST."`
	Timeout unit.Duration `yaml:"timeout" default:"30s" min:"10ms" max:"1h" doc:"Time for all tries; the next pass waits that long at most."`
	Retries int           `yaml:"retries" default:"3" min:"0" max:"100" doc:"How often it is tried again after it failed."`
}

// Webhook is where a hook sends a report.
type Webhook struct {
	URL   unit.Secret `yaml:"url" required:"true" doc:"Address; it is not shown, because many hold a secret."`
	Token unit.Secret `yaml:"token" doc:"Sent as Authorization: Bearer."`
}

// Problems checks the options of a hook.
func (h Hook) Problems() []kind.Problem {
	switch {
	case len(h.Command) > 0 && h.Webhook != nil:
		return []kind.Problem{{Option: "webhook", Message: "both command and webhook are given; make two hooks of them"}}
	case h.Webhook != nil:
		u, err := url.Parse(h.Webhook.URL.Reveal())
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return []kind.Problem{{Option: "webhook.url", Message: "this is no address such as https://host/path"}}
		}
	case len(h.Command) == 0 || h.Command[0] == "":
		return []kind.Problem{{Message: "a hook needs a command or a webhook, as in {after: failed, webhook: {url: https://host/path}}"}}
	}
	return nil
}

// wants says whether the hook is told of a pass.
func (h Hook) wants(r ops.Report) bool {
	return r.Outcome != ops.Stopped && (h.After == "any" || h.After == string(r.Outcome))
}

// hooks tells the hooks of the job how a pass ended, and waits for them.
func (w *worker) hooks(ctx context.Context, r ops.Report) {
	again := r.Outcome == ops.Failed && w.failures > 1
	idle := r.Outcome == ops.Complete && r.Lanes.Total == 0 && w.job.Schedule != nil && !w.Once
	if again || idle {
		return
	}
	var g errgroup.Group
	for _, h := range w.job.Hooks {
		if !h.wants(r) {
			continue
		}
		g.Go(func() error {
			if err := h.tell(ctx, w.job.Name, r); err != nil {
				w.watch.Care(func(c *ops.Care) { c.Hooks++ })
				w.log.Error("hook failed", "after", string(r.Outcome), "error", err)
			}
			return nil
		})
	}
	g.Wait()
}

// lastWord is how much time a hook has once the process is to stop.
const lastWord = 5 * time.Second

// tell tells the hook of a pass, again if it fails.
func (h Hook) tell(ctx context.Context, pipeline string, r ops.Report) error {
	body, err := json.Marshal(struct {
		Pipeline string    `json:"pipeline"`
		Time     time.Time `json:"time"`
		ops.Report
	}{pipeline, time.Now().UTC(), r})
	if err != nil {
		return err
	}
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Duration(h.Timeout))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastWord, cancel) })()
	var last error
	_, err = backoff.Retry(call, func() (struct{}, error) {
		last = h.once(call, pipeline, string(r.Outcome), body)
		return struct{}{}, last
	}, backoff.WithMaxTries(uint(h.Retries)+1), backoff.WithMaxElapsedTime(0))
	if err != nil && last != nil {
		err = last // not that the time was over
	}
	return err
}

func (h Hook) once(ctx context.Context, pipeline, outcome string, body []byte) error {
	if h.Webhook != nil {
		return h.Webhook.post(ctx, body)
	}
	return run(ctx, h.Command, body, "SLUICE_PIPELINE="+pipeline, "SLUICE_OUTCOME="+outcome)
}

// post sends a report. What the server will not have, it is not asked again.
func (w Webhook) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return backoff.Permanent(errors.New("webhook: the address cannot be used"))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "sluice")
	if w.Token != "" {
		req.Header.Set("Authorization", "Bearer "+w.Token.Reveal())
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // which may make a GET of it
	resp, err := client.Do(req)
	if e := new(url.Error); errors.As(err, &e) {
		err = e.Err // without the address
	}
	if err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	if resp.StatusCode < 300 {
		return nil
	}
	err = fmt.Errorf("webhook: %s: %s", resp.Status, strings.TrimSpace(string(text)))
	if s := resp.StatusCode; s < 500 && s != http.StatusRequestTimeout && s != http.StatusTooManyRequests {
		return backoff.Permanent(err)
	}
	return err
}

// run runs a program, and those that it starts are killed with it.
func run(ctx context.Context, command []string, in []byte, env ...string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin = bytes.NewReader(in)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	said := &tail{}
	cmd.Stdout, cmd.Stderr = said, said
	err := cmd.Run()
	if ctx.Err() != nil && err != nil {
		err = fmt.Errorf("killed after its timeout: %w", err)
	}
	if err != nil {
		return fmt.Errorf("command %s: %w: %s", command[0], err, strings.TrimSpace(string(said.text)))
	}
	return nil
}

// tail keeps the last that is written to it.
type tail struct{ text []byte }

// Write implements [io.Writer].
func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-500):]
	return len(p), nil
}
