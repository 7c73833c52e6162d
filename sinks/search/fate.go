package search

import (
	"context"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"strconv"

	"sluice/internal/search"
	"sluice/pipeline"
)

// fate is what becomes of a record after a reply.
type fate uint8

// The fates.
const (
	applied fate = iota
	again        // the cluster could not take it now
	dead         // it will never take it
	blocked      // something is wrong with the index, and time may cure it
	broken       // something is wrong with the index, and somebody has to cure it
)

// judge says what becomes of a record that was refused.
func judge(r *record, status int32, kind []byte, action string) fate {
	switch string(kind) {
	case "cluster_block_exception":
		if status == http.StatusTooManyRequests { // no room on the disks
			return blocked
		}
		return broken
	case "index_closed_exception", "validation_exception": // the latter: no more shards may be open
		return broken
	case "unavailable_shards_exception", "no_shard_available_action_exception", "process_cluster_event_timeout_exception",
		"es_rejected_execution_exception", "rejected_execution_exception", "circuit_breaking_exception", "node_closed_exception":
		return again
	}
	switch {
	case older(r, status, kind):
		return applied
	case status == http.StatusNotFound && r.remove:
		return applied // nothing is there, maybe since an attempt whose reply was lost
	case status == http.StatusConflict && action == "create" && !r.remove:
		return applied // it was there already, maybe by an attempt whose reply was lost
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return again
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound:
		return broken // no permission, or no such index
	}
	return dead
}

// older reports whether the cluster has a newer version of the document, and so
// keeps that.
func older(r *record, status int32, kind []byte) bool {
	return r.versioned && status == http.StatusConflict && string(kind) == "version_conflict_engine_exception"
}

// settle acts on the reply to recs. It returns those that are to be sent again
// and why, in order. A record that was applied is sent again too if an earlier
// one with its _id is: else that one would come last.
func (s *sender) settle(ctx context.Context, q *request, recs []record, attempt int) ([]record, error) {
	s.fates = slices.Grow(s.fates[:0], len(recs))[:len(recs)]
	clear(s.fates)
	var why error
	left, outdated := 0, 0
	for _, f := range s.reply.refused {
		r := &recs[f.at]
		fate := judge(r, f.status, s.reply.kind(f), s.cfg.Action)
		if older(r, f.status, s.reply.kind(f)) {
			outdated++
		}
		if fate == applied {
			continue
		}
		refusal := &pipeline.Refusal{Status: int(f.status), Type: string(s.reply.kind(f)), Reason: s.reply.reason(f), Attempts: attempt}
		switch fate {
		case broken:
			return nil, fmt.Errorf("%s: record %d: %s: %w", q.items[r.item].Key, r.number, q.body[r.action:r.source-1], refusal)
		case dead:
			if err := s.bury(ctx, q, r, refusal); err != nil {
				return nil, err
			}
		default:
			if left++; why == nil {
				why = search.Again(causeOf(fate, f.status), refusal)
			}
		}
		s.fates[f.at] = fate
	}
	if outdated > 0 {
		pipeline.Logger(ctx).Debug("the cluster has newer versions and keeps them", "records", outdated)
	}
	if left == 0 {
		return nil, nil
	}
	why = fmt.Errorf("POST /_bulk: %d of %d records: %w", left, len(recs), why)
	s.follow(q, recs)
	return q.keep(recs, func(i int) bool { return s.fates[i] == again }), why
}

// causeOf is the cause of trying again.
func causeOf(f fate, status int32) string {
	if f == blocked {
		return "blocked index"
	}
	return strconv.Itoa(int(status))
}

// follow marks what was applied but must be sent again after another.
func (s *sender) follow(q *request, recs []record) {
	clear(s.again)
	for i, r := range recs {
		if s.fates[i] == blocked {
			s.fates[i] = again
		}
		if r.anonymous || s.fates[i] == dead {
			continue
		}
		id := maphash.Bytes(s.seed, q.names(&r))
		if _, ok := s.again[id]; ok {
			s.fates[i] = again
		} else if s.fates[i] == again {
			s.again[id] = struct{}{}
		}
	}
}
