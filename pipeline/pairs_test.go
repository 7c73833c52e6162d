package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// first says that a line that begins with > belongs together with the next one.
func first(line []byte) bool { return line[0] == '>' }

// paired is an item that is split into pairs, and what a sink got of it.
type paired struct {
	content string
	got     strings.Builder
	blocks  int
	fail    int // block that the sink fails at; 0: none
	letters map[string]string
}

// pipeline splits the content into blocks of a size.
func (p *paired) pipeline(size, maxRecord int) *pipeline.Pipeline {
	e := stream(&pipeline.Item{Key: "k", Version: "1"}, func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(smallReads{strings.NewReader(p.content), 7}), nil
	})
	e.write = each(func(s string) error {
		if p.blocks++; p.blocks == p.fail {
			return errors.New("disk full")
		}
		p.got.WriteString(s)
		return nil
	})
	w := &pipelinetest.World{}
	p.letters = map[string]string{}
	run := e.pipeline(w, pipeline.Stage{Name: "lines", Transform: pipeline.Lines{Size: size, MaxRecord: maxRecord, Pair: first}})
	run.Dead = &pipelinetest.Letters{World: w, Durable: p.letters}
	return run
}

// bulk is lines of which some belong together, and the records that they are:
// second lines that look like first ones, line breaks of Windows, a line that
// is larger than a block, no newline at the end.
const (
	bulk = ">1\na\n>2\n>b\n-3\n>4\r\nd\r\n-5\r\n\n>6\nffffffffffffffffffffffffffffffffffffffffffff\n>7 a longer first line than most\ng\n-8\n>9\n\n>10\nj"
	want = ">1 a\n>2 >b\n-3\n>4  d\r\n-5\r\n\n>6 ffffffffffffffffffffffffffffffffffffffffffff\n>7 a longer first line than most g\n-8\n>9 \n>10 j\n"
)

func TestTwoLinesThatBelongTogetherAreOneRecordWhereverBlocksEnd(t *testing.T) {
	for _, mark := range []string{"", "\ufeff"} {
		for size := max(1, len(mark)); size < len(bulk)+5; size++ {
			bubble(t, 1, func(t *testing.T) {
				p := &paired{content: mark + bulk}
				res, err := p.pipeline(size, 0).Run(t.Context())
				if err != nil || !res.Complete || p.got.String() != want || res.Counts.Written != int64(strings.Count(want, "\n")) {
					t.Errorf("blocks of %d: %+v, %v, got %q, want %q", size, res, err, p.got.String(), want)
				}
			})
		}
	}
}

func TestALaneGoesOnBetweenPairsOnly(t *testing.T) {
	const blocks = 8 // of 4 bytes and more
	for fail := 1; fail <= blocks; fail++ {
		bubble(t, 1, func(t *testing.T) {
			p := &paired{content: "\ufeff" + bulk, fail: fail}
			run := p.pipeline(4, 0)
			run.Run(t.Context())
			res, err := run.Run(t.Context())
			if p.blocks != blocks+1 {
				t.Fatalf("got %d blocks, want %d and one again", p.blocks, blocks)
			}
			if err != nil || !res.Complete || p.got.String() != want {
				t.Errorf("after block %d: %+v, %v, got %q, want %q", fail, res, err, p.got.String(), want)
			}
		})
	}
}

func TestAFirstLineAtTheEndIsALetter(t *testing.T) {
	for size := 1; size < 12; size++ {
		for _, end := range []string{">3\n", ">3", ">3\r\n"} {
			bubble(t, 1, func(t *testing.T) {
				p := &paired{content: ">1\na\n-2\n" + end}
				run := p.pipeline(size, 0)
				res, err := run.Run(t.Context())
				if err != nil || res.Counts.Dead != 1 || res.Counts.Read != 3 || p.got.String() != ">1 a\n-2\n" {
					t.Errorf("blocks of %d: %+v, %v, got %q", size, res, err, p.got.String())
				}
				if got := fmt.Sprint(p.letters); !strings.Contains(got, "k: >3") {
					t.Errorf("blocks of %d: got letters %s, want one with the line", size, got)
				}
				run = p.pipeline(size, 0)
				run.Dead = nil
				if _, err := run.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the object ends behind it") {
					t.Errorf("blocks of %d: got %v, want an error that says what is missing", size, err)
				}
			})
		}
	}
}

func TestAPairThatIsTooLongIsOneLetter(t *testing.T) {
	for size := 1; size <= 20; size++ {
		for n := 17; n < 30; n++ { // with the first line, its newline and their own: from 21 on
			bubble(t, 1, func(t *testing.T) {
				p := &paired{content: ">1\na\n>2\n" + strings.Repeat("b", n) + "\n>3\nc\n"}
				res, err := p.pipeline(size, 20).Run(t.Context())
				if err != nil || res.Counts.Dead != 1 || res.Counts.Read != 3 || p.got.String() != ">1 a\n>3 c\n" {
					t.Errorf("blocks of %d, line of %d: %+v, %v, got %q", size, n, res, err, p.got.String())
				}
			})
		}
	}
}

// FuzzPairs: whatever the bytes and blocks, the records are those of a reader
// that has all of it before it.
func FuzzPairs(f *testing.F) {
	f.Add("\ufeff"+bulk, byte(8))
	f.Add(">1\r\n", byte(3))
	f.Add("\n\n>\n\n>", byte(5))
	f.Fuzz(func(t *testing.T, content string, size byte) {
		p := &paired{content: content}
		res, err := p.pipeline(max(3, int(size)), 0).Run(t.Context())
		records, alone := plainly(content)
		if err != nil || p.got.String() != records || res.Counts.Dead != alone || res.Counts.Written != int64(strings.Count(records, "\n")) {
			t.Errorf("got %q, %+v, %v, want %q and %d letters", p.got.String(), res, err, records, alone)
		}
	})
}

// plainly makes records of a text, and counts first lines at its end.
func plainly(text string) (records string, alone int64) {
	text = strings.TrimPrefix(text, "\ufeff")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	lines := strings.SplitAfter(text, "\n")
	lines = lines[:len(lines)-1] // what follows the last newline
	for i := 0; i < len(lines); i++ {
		switch line := lines[i]; {
		case !first([]byte(line)):
			records += line
		case i == len(lines)-1:
			alone++
		case strings.HasSuffix(line, "\r\n"):
			records += line[:len(line)-2] + "  " + lines[i+1]
			i++
		default:
			records += line[:len(line)-1] + " " + lines[i+1]
			i++
		}
	}
	return records, alone
}
