package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sluice/internal/check"
	"sluice/internal/unit"
)

// Hurry implements [check.Hurrier].
func (c *Config) Hurry(most time.Duration) { c.Retry = min(c.Retry, unit.Duration(most)) }

// MayRead finds out whether the user may see and read what names stand for. A
// wildcard is tried, because it stands for what the user may see of it.
func (c *Client) MayRead(ctx context.Context, e Engine, patterns []string, r *check.Report) {
	index := strings.Join(names(patterns), ",")
	if !strings.Contains(index, "*") && c.has(ctx, e, index, []string{"view_index_metadata", "read"}, r) {
		return
	}
	lenient := url.Values{"ignore_unavailable": {"true"}, "allow_no_indices": {"true"}}
	r.Add("see indices", c.tried(ctx, Request{Path: Path(index) + "/_settings", Query: lenient}))
	r.Add("read documents", c.tried(ctx, Request{Path: Path(index) + "/_search", Query: lenient, Body: []byte(`{"size":0,"terminate_after":1}`)}))
}

// tried is why a harmless request is refused, or nil. What does not exist is not
// refused.
func (c *Client) tried(ctx context.Context, r Request) error {
	err := c.Call(ctx, r, nil)
	if NotFound(err) {
		return nil
	}
	return unsure(err)
}

// unsure marks an error that is not about who asks.
func unsure(err error) error {
	if a := AsError(err); err == nil || a != nil && refused(a.Status) {
		return err
	}
	return check.Unsure(err)
}

// Writing is what is done to an index.
type Writing struct {
	Index  string
	Exists bool
	Action string // index, create, update or delete
	Manage bool   // its settings or aliases are changed, too
}

// MayWrite finds out whether the user may write to an index, and make it if it
// does not exist, by asking the cluster or by requests that it cannot carry out.
func (c *Client) MayWrite(ctx context.Context, e Engine, w Writing, r *check.Report) {
	privileges := []string{map[string]string{"create": "create_doc", "delete": "delete"}[w.Action]}
	privileges[0] = cmp.Or(privileges[0], "index")
	if !w.Exists {
		privileges = append(privileges, "create_index")
	}
	if w.Manage {
		privileges = append(privileges, "manage")
	}
	if c.has(ctx, e, w.Index, privileges, r) {
		return
	}
	if w.Exists {
		r.Add("write to "+w.Index, c.probe(ctx, w))
		return
	}
	if e.Distribution != "" && c.engine(nil) != "aoss" { // others may take any setting
		r.Add("make "+w.Index, c.probeMaking(ctx, w.Index))
	}
}

// has asks an Elasticsearch for the privileges of the user on an index. It is
// false if it does not say: it has no security, or is none.
func (c *Client) has(ctx context.Context, e Engine, index string, privileges []string, r *check.Report) bool {
	if e.Distribution != "elasticsearch" {
		return false
	}
	var reply struct {
		Index map[string]map[string]bool
	}
	body := fmt.Appendf(nil, `{"index":[{"names":%s,"privileges":%s}]}`, quoted(strings.Split(index, ",")), quoted(privileges))
	if err := c.CallOnce(ctx, Request{Method: http.MethodPost, Path: "/_security/user/_has_privileges", Body: body}, &reply); err != nil || len(reply.Index) == 0 {
		return false
	}
	for _, name := range strings.Split(index, ",") {
		for _, p := range privileges {
			var err error
			if !reply.Index[name][p] {
				err = fmt.Errorf("the user lacks a permission: grant a role of it the index privilege %s on %s", p, name)
			}
			r.Add(p+" "+name, err)
		}
	}
	return true
}

func quoted(list []string) string {
	text := make([]string, len(list))
	for i, s := range list {
		text[i] = fmt.Sprintf("%q", s)
	}
	return "[" + strings.Join(text, ",") + "]"
}

// probe writes on a condition that never holds: a document, which is not there,
// would have to have a sequence number. Nothing is written, and no mapping
// changes, because the document is empty.
func (c *Client) probe(ctx context.Context, w Writing) error {
	const never = `"_id":"sluice-check","if_seq_no":9007199254740991,"if_primary_term":1`
	body := `{"index":{` + never + "}}\n{}\n"
	if w.Action == "delete" {
		body = `{"delete":{` + never + "}}\n"
	}
	var reply struct {
		Items []map[string]struct {
			Status int
			Error  struct{ Type, Reason string }
		}
	}
	request := Request{Method: http.MethodPost, Path: Path(w.Index) + "/_bulk", Body: []byte(body)}
	if err := c.Call(ctx, request, &reply); err != nil {
		return unsure(err)
	}
	for _, item := range reply.Items {
		for _, is := range item {
			e := &Error{Status: is.Status, Type: is.Error.Type, Reason: is.Error.Reason}
			return c.verdict(e, request, w)
		}
	}
	return check.Unsure(errors.New("the reply to a bulk request has no items"))
}

// verdict says what the answer to a probe means.
func (c *Client) verdict(e *Error, r Request, w Writing) error {
	switch {
	case e.Status == http.StatusConflict, e.Status == http.StatusNotFound:
		return nil
	case e.Has("cluster_block_exception"):
		e.Remedy = "writes to it are blocked: lift index.blocks, or make room on the disks of the cluster"
		return e
	case refused(e.Status):
		e.Remedy = c.remedy(e, r, nil)
		return e
	case e.Has("data stream") && w.Action != "create":
		e.Remedy = "set action: create"
		return e
	case e.Has("data stream"):
		return nil
	}
	return check.Unsure(e)
}

// probeMaking asks for an index with a setting that no engine knows.
func (c *Client) probeMaking(ctx context.Context, index string) error {
	err := c.Call(ctx, Request{Method: http.MethodPut, Path: Path(index), Body: []byte(`{"settings":{"index.sluice_check":"of a request that is to fail"}}`)}, nil)
	if a := AsError(err); a != nil && a.Status == http.StatusBadRequest {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("the cluster made index %s of settings that cannot be: delete it if nobody needs it", index)
	}
	return unsure(err)
}

// Documents is how many documents searches of an index find.
func (c *Client) Documents(ctx context.Context, index string) (int64, error) {
	var reply struct{ Count int64 }
	err := c.Call(ctx, Request{Path: Path(index) + "/_count"}, &reply)
	return reply.Count, err
}
