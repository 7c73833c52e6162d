package search

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/search"
	"sluice/pipeline"
)

// fate is what becomes of a record after a reply.
type fate uint8

// The fates.
const (
	applied  fate = iota
	again         // the cluster could not take it now
	blocked       // the index takes no writes, until somebody lifts that
	repeated      // an earlier record of its document is sent again: else that one would come last
	there         // a document is there already, and it is to be seen which
	dead          // the cluster will never take it
	broken        // something is wrong with the index, and no time cures it
)

// left says whether the record is to be sent again.
func (f fate) left() bool { return f == again || f == blocked || f == repeated }

// judge says what becomes of a record that was refused. reason is JSON text.
func judge(r *record, status int32, kind, reason []byte) fate {
	switch string(kind) {
	case clusterBlock:
		if status == http.StatusServiceUnavailable { // there is no master: time cures it
			return again
		}
		return blocked // no room on the disks, or read-only
	case "index_closed_exception", "validation_exception": // the latter: no more shards may be open
		return broken
	case "unavailable_shards_exception", "no_shard_available_action_exception", "process_cluster_event_timeout_exception",
		"es_rejected_execution_exception", "rejected_execution_exception", "circuit_breaking_exception", "node_closed_exception":
		return again
	case "document_missing_exception":
		return dead
	}
	switch {
	case older(r, status, kind):
		return applied
	case status == http.StatusNotFound && r.verb == toDelete:
		return applied // nothing is there, maybe since an attempt whose reply was lost
	case status == http.StatusConflict && r.careful:
		return there
	case status == http.StatusConflict && r.verb == toCreate:
		return applied // it was there already, maybe by an attempt whose reply was lost
	case status == http.StatusConflict && r.verb == toUpdate:
		return again // somebody else has written it between the engine's read and write
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return again
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound:
		return broken // no permission, or no such index
	case bytes.Contains(reason, []byte(onlyCreate)), bytes.HasPrefix(reason, []byte(noPipeline)):
		return broken
	}
	return dead
}

// clusterBlock is the type of the error where writes are blocked.
const clusterBlock = "cluster_block_exception"

// onlyCreate is in the reason of what a data stream refuses.
const onlyCreate = "only write ops with an op_type of create are allowed in data streams"

// noPipeline begins the reason where an ingest pipeline does not exist.
const noPipeline = "pipeline with id ["

// older reports whether the cluster has a newer version of the document, and so
// keeps that.
func older(r *record, status int32, kind []byte) bool {
	return r.versioned && status == http.StatusConflict && string(kind) == "version_conflict_engine_exception"
}

// settle acts on the reply to recs. It returns those that are to be sent again
// and why, in order.
func (s *sender) settle(ctx context.Context, q *request, recs []record, attempt int) ([]record, error) {
	s.fates = slices.Grow(s.fates[:0], len(recs))[:len(recs)]
	clear(s.fates)
	left, outdated := 0, 0
	for _, f := range s.reply.refused {
		r, kind := &recs[f.at], s.reply.kind(f)
		fate := judge(r, f.status, kind, s.reply.raw(f))
		if fate == there {
			var err error
			if fate, err = s.compare(ctx, q, r); err != nil {
				return nil, err
			}
		}
		if s.fates[f.at] = fate; fate == again || fate == blocked {
			left++
		}
		if older(r, f.status, kind) {
			outdated++
		}
	}
	if outdated > 0 {
		pipeline.Logger(ctx).Debug("the cluster has newer versions and keeps them", "records", outdated)
	}
	if left > 0 {
		s.follow(q, recs)
	}
	why, err := s.refuse(ctx, q, recs, attempt)
	if err != nil || left == 0 {
		return nil, err
	}
	if cause, _ := search.Retryable(why); cause == "429" || cause == "503" {
		s.client.Overloaded(ctx, s.begun, cause)
	}
	why = fmt.Errorf("POST /_bulk: %d of %d records: %w", left, len(recs), why)
	return q.keep(recs, func(i int) bool { return s.fates[i].left() }), why
}

// refuse buries what is dead, and returns why records are to be sent again. A
// block of writes comes first: it takes the longest.
func (s *sender) refuse(ctx context.Context, q *request, recs []record, attempt int) (why, err error) {
	held := false
	for _, f := range s.reply.refused {
		r, fate := &recs[f.at], s.fates[f.at]
		if fate == applied || fate == repeated || fate == again && why != nil || fate == blocked && held {
			continue
		}
		refusal := &pipeline.Refusal{Status: int(f.status), Type: string(s.reply.kind(f)), Reason: s.reply.reason(f), Attempts: attempt}
		switch fate {
		case broken:
			return nil, fmt.Errorf("%s: record %d: %s: %w%s", q.items[r.item].Key, r.number, q.action(r), refusal, remedy(refusal))
		case dead:
			if err := s.bury(ctx, q, r, refusal); err != nil {
				return nil, err
			}
		case blocked:
			why, held = search.Again(blockedWrites, refusal), true
		case again:
			why = search.Again(strconv.Itoa(int(f.status)), refusal)
		}
	}
	return why, nil
}

// blockedWrites is the cause of trying again while a cluster or an index takes no
// writes.
const blockedWrites = "blocked writes"

// remedy says what to do about what is wrong with an index, or nothing.
func remedy(r *pipeline.Refusal) string {
	if strings.Contains(r.Reason, onlyCreate) {
		return ": set action: create"
	}
	return ""
}

// follow marks what must be sent again after another.
func (s *sender) follow(q *request, recs []record) {
	clear(s.again)
	for i, r := range recs {
		if r.anonymous {
			continue
		}
		id := maphash.Bytes(s.seed, names(q.action(&r)))
		if s.fates[i].left() {
			s.again[id] = struct{}{}
		} else if _, ok := s.again[id]; ok {
			s.fates[i] = repeated
		}
	}
}
