package main

import (
	"errors"
	"fmt"

	"sluice/internal/ops"
)

// end reports what became of the pipelines, and says with which status the
// process ends. err is what went wrong beside them.
func (s *session) end(err error) error {
	reports := s.reports(err)
	if s.dry != nil {
		return s.rehearsed(reports, err)
	}
	err = errors.Join(err, s.writeReport(reports))
	if s.opened && !s.quiet && !s.json() {
		err = errors.Join(err, reports.Summary(s.console, s.names(), s.style()))
	}
	if err != nil {
		return err
	}
	return s.status(reports)
}

// rehearsed says what a dry run has found. A pass that would fail, fails.
func (s *session) rehearsed(reports ops.Reports, err error) error {
	if err != nil {
		return err
	}
	if err := s.dry.end(s.names()); err != nil {
		return err
	}
	for _, name := range s.names() {
		if r := reports[name]; r.Error != "" {
			err = errors.Join(err, fmt.Errorf("pipeline %s: %s", name, r.Error))
		}
	}
	if err != nil {
		return err
	}
	return s.status(reports)
}

// status is the worst of the pipelines. One that repeats its passes and was
// stopped has done what was asked for, unless its last pass failed.
func (s *session) status(reports ops.Reports) error {
	counted := ops.Reports{}
	for _, p := range s.pipelines {
		r := reports[p.Name]
		if s.repeats(p) && r.Outcome != ops.Failed {
			continue
		}
		counted[p.Name] = r
	}
	switch counted.Outcome() {
	case ops.Failed:
		return &exit{status: exitFailed}
	case ops.Stopped:
		return &exit{status: exitStopped}
	case ops.Partial:
		return &exit{status: exitPartial}
	}
	return nil
}

// reports are the last reports of the pipelines. If err kept one from a first
// pass, it failed.
func (s *session) reports(err error) ops.Reports {
	reports := ops.Reports{}
	for _, w := range s.board.Watches() {
		if r, ok := w.Report(); ok {
			reports[w.Name()] = r
		}
	}
	if err == nil {
		return reports
	}
	for _, p := range s.pipelines {
		if _, ok := reports[p.Name]; !ok {
			reports[p.Name] = ops.NeverBegan(err)
		}
	}
	return reports
}

func (s *session) writeReport(reports ops.Reports) error {
	switch s.report {
	case "":
		return nil
	case "-":
		return reports.Write(s.stdout)
	}
	return reports.WriteFile(s.report)
}

// reportSoFar keeps the report in a file up to date while passes repeat.
func (s *session) reportSoFar() {
	if s.report == "-" {
		return
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.writeReport(s.reports(nil)); err != nil {
		s.log.Warn("the report cannot be written", "error", err)
	}
}

func (s *session) names() (names []string) {
	for _, p := range s.pipelines {
		names = append(names, p.Name)
	}
	return names
}

func (s *session) style() ops.Style {
	style := ops.Style{Color: s.console.Color, Again: s.again, Letters: map[string]string{}}
	if s.console.Terminal {
		style.Width, _ = s.console.Size()
	}
	for _, p := range s.pipelines {
		if p.DeadLetters != nil {
			style.Letters[p.Name] = p.DeadLetters.Place(p.Name)
			if p.Line > 0 { // a command without a file has no name to ask by
				style.Letters[p.Name] += " (sluice dead-letters list " + p.Name + ")"
			}
		}
	}
	return style
}
