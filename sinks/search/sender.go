package search

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"sluice/internal/search"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// filterPath leaves what is read of a reply: a status for each item, so that
// places hold.
const filterPath = "items.*.status,items.*.error.type,items.*.error.reason"

// sender delivers the requests of one lane.
type sender struct {
	*writer
	reply   *reply
	fates   []fate // of the records of the last reply
	again   map[uint64]struct{}
	seed    maphash.Seed
	heard   bool      // a reply with items came once
	zipper  *zipper   // nil: not yet needed
	begun   time.Time // when the last request was sent
	refused int       // records that were refused as a whole request before it did
}

func newSender(w *writer) *sender {
	return &sender{writer: w, reply: newReply(),
		again: map[uint64]struct{}{}, seed: maphash.MakeSeed()}
}

// request delivers one request. What was found before it is sent is buried.
func (s *sender) request(ctx context.Context, q *request) error {
	recs := q.recs
	if q.faults > 0 {
		for i := range recs {
			if f := recs[i].fault; f != sound {
				refusal := refusals[f]
				if err := s.bury(ctx, q, &recs[i], &refusal); err != nil {
					return err
				}
			}
		}
		recs = q.keep(recs, func(i int) bool { return recs[i].fault == sound })
	}
	return s.deliver(ctx, q, recs)
}

// deliver sees to it that each of recs, which lie side by side, is applied or
// buried.
func (s *sender) deliver(ctx context.Context, q *request, recs []record) error {
	tries, held, mistold := s.client.Retrier(), s.client.Patient(time.Duration(s.cfg.Pause)), 0
	for attempt := 1; len(recs) > 0; attempt++ {
		sent := len(recs)
		err := s.post(ctx, q.bytes(recs), sent)
		if err == nil {
			recs, err = s.settle(ctx, q, recs, attempt)
		}
		switch {
		case len(recs) <= sent/2:
			tries.Reset()
		case len(recs) < sent:
			tries.Progress()
		}
		cause, _ := search.Retryable(err)
		wait := held
		if cause != blockedWrites {
			held.Over(ctx)
			wait = tries
		}
		switch e := search.AsError(err); {
		case err == nil:
			return nil
		case e != nil && (e.Status == http.StatusBadRequest || e.Status == http.StatusRequestEntityTooLarge):
			return s.split(ctx, q, recs, refusal(e, attempt))
		case errors.Is(err, errReply):
			if mistold++; mistold > 1 {
				return err
			}
			err = search.Again("wrong reply", err)
		}
		if err = wait.Wait(ctx, err); err != nil {
			return err
		}
	}
	return nil
}

// post sends the body of n records once, and reads the reply.
func (s *sender) post(ctx context.Context, body []byte, n int) error {
	r := search.Request{Method: http.MethodPost, Path: "/_bulk", Query: s.query, Body: body, ContentType: "application/x-ndjson"}
	if s.compression == "on" || s.compression == "auto" && s.client.SlowLink() {
		if s.zipper == nil {
			s.zipper = newZipper(s.limit)
		}
		if small, ok := s.zipper.zip(body); ok {
			r.Body, r.Zipped = small, true
		}
	}
	s.begun = time.Now()
	resp, err := s.client.Do(ctx, r)
	switch e := search.AsError(err); {
	case e != nil && e.Type == clusterBlock && e.Status != http.StatusServiceUnavailable:
		return search.Again(blockedWrites, err)
	case e != nil && (e.Status >= 500 || e.Status == http.StatusRequestTimeout):
		return search.Again(strconv.Itoa(e.Status), err)
	case err != nil:
		return err
	}
	defer resp.Body.Close()
	err = s.reply.read(resp.Body)
	if err == io.ErrUnexpectedEOF {
		err = search.Again("cut body", err)
	}
	if err == nil && s.reply.items != n {
		err = fmt.Errorf("it speaks of %d records, %d were sent: %w", s.reply.items, n, errReply)
	}
	if err != nil {
		return fmt.Errorf("POST /_bulk: reply: %w", err)
	}
	s.heard = true
	return nil
}

// split delivers both halves of a request that was refused as a whole, the
// first one first. A single record that is refused is buried.
func (s *sender) split(ctx context.Context, q *request, recs []record, why *pipeline.Refusal) error {
	size := len(q.bytes(recs))
	if len(recs) == 1 {
		if s.refused++; s.refused > maxRefused && !s.heard {
			return fmt.Errorf("POST /_bulk: nothing is accepted, not a single record alone: %w", why)
		}
		if why.Status == http.StatusRequestEntityTooLarge {
			why.Reason = fmt.Sprintf("the record alone makes a request of %d bytes", size)
		}
		return s.bury(ctx, q, &recs[0], why)
	}
	if why.Status == http.StatusRequestEntityTooLarge {
		s.shrink(ctx, size/2)
	}
	if why.Status == http.StatusBadRequest && slices.ContainsFunc(recs, func(r record) bool { return r.anonymous }) {
		s.halved.Do(func() {
			pipeline.Logger(ctx).Warn("a request was refused as a whole and is sent again in halves: what the cluster has applied of it all the same, and has no _id, is there twice", "reason", why)
		})
	}
	half := len(recs) / 2
	if err := s.deliver(ctx, q, recs[:half]); err != nil {
		return err
	}
	return s.deliver(ctx, q, recs[half:])
}

// maxRefused is how many records are buried one by one before it is taken for
// certain that the requests are wrong, and not the records.
const maxRefused = 20

// shrink makes the requests to come smaller, if by much: one large record is no
// reason.
func (s *sender) shrink(ctx context.Context, size int) {
	if most := s.most.Load(); int64(size) <= most*3/4 && s.most.CompareAndSwap(most, int64(size)) {
		pipeline.Logger(ctx).Warn("the cluster takes no requests of the size of the option bulk", "bulk", s.cfg.Bulk, "now", unit.Bytes(size))
	}
}

// bury makes a dead letter of a record, one at a time in all lanes: it needs
// the record once more in memory. A delete that is an item is no record: it has
// to succeed.
func (s *sender) bury(ctx context.Context, q *request, r *record, why *pipeline.Refusal) error {
	if q.items[r.item].Delete {
		return fmt.Errorf("%s: %w", q.action(r), why)
	}
	s.burying.Lock()
	defer s.burying.Unlock()
	s.line = q.appendLine(s.line[:0], r)
	err := q.items[r.item].Bury(ctx, int64(r.number), s.line, why)
	if cap(s.line) > keptLine {
		s.line = nil
	}
	return err
}

// keptLine is the largest buffer for the line of a dead letter that is kept.
const keptLine = 1 << 20

// refusal is what a whole request was refused with.
func refusal(e *search.Error, attempts int) *pipeline.Refusal {
	r := &pipeline.Refusal{Status: e.Status, Type: e.Type, Reason: e.Reason, Attempts: attempts}
	if r.Type == "" {
		r.Type = http.StatusText(e.Status)
	}
	return r
}
