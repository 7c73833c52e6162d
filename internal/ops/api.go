package ops

import "time"

// The types of /api/v1 are a contract: names stay, others may come. Times are
// RFC 3339 in UTC and left out where there is none; lengths of time are seconds,
// sizes bytes, rates per second over the last half minute. What is not known is
// null.

// Overview is GET /api/v1/pipelines.
type Overview struct {
	Version string    `json:"version"`
	Started time.Time `json:"started"` // the process
	Now     time.Time `json:"now"`
	Ready   bool      `json:"ready"`   // as /readyz says it
	Actions Actions   `json:"actions"` // what pause, resume and run need
	Memory  Memory    `json:"memory"`

	Configuration Configuration `json:"configuration"`

	Pipelines []View  `json:"pipelines"` // in the order of the configuration
	Events    []Event `json:"events"`    // of all pipelines and the process, the newest first
}

// Actions says what a request needs that changes something, beside the header
// X-Sluice.
type Actions string

// What it needs.
const (
	Allowed   Actions = "allowed"   // nothing: it comes from this machine
	WithToken Actions = "token"     // Authorization: Bearer TOKEN
	Forbidden Actions = "forbidden" // it is not possible: no http_token is configured
)

// Memory is that of the process.
type Memory struct {
	Bound    int64 `json:"bound"`     // the option memory
	Reserved int64 `json:"reserved"`  // what the lanes that are open now may take of it
	InFlight int64 `json:"in_flight"` // bytes of blocks that hold records now
}

// Configuration is what became of the configuration when it was read last.
type Configuration struct {
	At    time.Time `json:"at,omitzero"`     // zero: it was read when the process began, and not since
	Error string    `json:"error,omitempty"` // "": it is in use
}

// State is what a pipeline is doing, in a word.
type State string

// The states. The first that is true is the state.
const (
	StatePaused   State = "paused"
	StateStalled  State = "stalled" // a pass is under way and gets nowhere
	StateFailing  State = "failing" // the last pass failed, and is tried again or will be
	StateRunning  State = "running"
	StateWaiting  State = "waiting"  // for the next pass
	StateComplete State = "complete" // all passes there were to be have ended: how the last one did
	StatePartial  State = "partial"
	StateFailed   State = "failed"
	StateStopped  State = "stopped"
	StateBegins   State = "begins" // nothing has happened yet
)

// View is what a pipeline is doing.
type View struct {
	Name    string    `json:"name"`
	State   State     `json:"state"`
	Running bool      `json:"running"`           // a pass is under way, in whatever state
	Last    Outcome   `json:"last,omitempty"`    // of the pass that ended last, in this process
	Next    time.Time `json:"next,omitzero"`     // when the next pass begins
	Saved   time.Time `json:"saved,omitzero"`    // when the state was last written
	Success time.Time `json:"success,omitzero"`  // when a pass was last complete
	Failing *Failing  `json:"failing,omitempty"` // if the last pass failed
	Stalled *Stall    `json:"stalled,omitempty"` // if it gets nowhere

	Pass    PassView         `json:"pass"` // the one under way, or the last
	Rates   Rates            `json:"rates"`
	Lag     Lag              `json:"lag"`
	Stages  []StageView      `json:"stages"`  // in order, the source first and the sink last
	Retries map[string]int64 `json:"retries"` // by cause, in this process
	Dead    int64            `json:"dead"`    // dead letters, in this process
	Hooks   int64            `json:"hooks_failed"`
}

// Failing says since when passes fail.
type Failing struct {
	Since    time.Time `json:"since"`
	Failures int       `json:"failures"` // in a row
	Error    string    `json:"error"`    // of the last
}

// Stall says where a pass hangs.
type Stall struct {
	Since time.Time `json:"since"`
	Stage string    `json:"stage"` // the source, a transform or the sink
	Lane  string    `json:"lane"`  // "": no lane has begun, or all have ended
	Doing string    `json:"doing"` // what the stage does, as far as is known
}

// PassView is how far a pass is, earlier processes included.
type PassView struct {
	Number   int64     `json:"number"` // 0: none has its plan
	Began    time.Time `json:"began,omitzero"`
	Records  Records   `json:"records"`
	Bytes    Bytes     `json:"bytes"`
	Objects  Objects   `json:"objects"`
	Lanes    LaneStock `json:"lanes"`
	Expected Expected  `json:"expected"`
	Done     *float64  `json:"done"` // of 1
	Left     *float64  `json:"left"` // seconds, as fast as it is now
}

// LaneStock counts lanes by state.
type LaneStock struct {
	Total   int `json:"total"`
	Waiting int `json:"waiting"`
	Open    int `json:"open"`
	Ended   int `json:"ended"`
	Failed  int `json:"failed"`
}

// Expected is what a source expects to give; 0 if it does not know, or not yet.
type Expected struct {
	Records int64 `json:"records"`
	Bytes   int64 `json:"bytes"`
	Objects int64 `json:"objects"`
}

// Rates are per second.
type Rates struct {
	RecordsIn  float64 `json:"records_in"`
	RecordsOut float64 `json:"records_out"`
	BytesIn    float64 `json:"bytes_in"`
	BytesOut   float64 `json:"bytes_out"`
	ObjectsIn  float64 `json:"objects_in"`
	ObjectsOut float64 `json:"objects_out"`
}

// Lag is how far the destination is behind the source.
type Lag struct {
	Seconds *float64 `json:"seconds"` // whatever was at the source so long ago was delivered: since the last complete pass began
	Records *int64   `json:"records"` // of the pass under way, not delivered yet; of a source that is followed, sequence numbers
	Bytes   *int64   `json:"bytes"`
	Objects *int64   `json:"objects"`
}

// StageView is what a stage does, in all lanes together.
type StageView struct {
	Name    string `json:"name"` // source, sink, or the name of the transform
	Kind    string `json:"kind"` // opensearch, gzip, s3
	Busiest bool   `json:"busiest"`

	// Of the time of its lanes, in the last half minute, parts of 1.
	Busy      float64 `json:"busy"`      // it worked, or waited for a server
	Receiving float64 `json:"receiving"` // it waited for input
	Sending   float64 `json:"sending"`   // it waited for the next stage

	// What it gave to the next stage; the sink: what it took.
	Items   float64 `json:"items"`   // blocks and objects, a second
	Records float64 `json:"records"` // where they are known
	Bytes   float64 `json:"bytes"`   // likewise: streams are not opened before the sink
}

// Detail is GET /api/v1/pipelines/NAME.
type Detail struct {
	View
	Notes         []string     `json:"notes"`         // what is left out as configured
	Lanes         []LaneView   `json:"lane_list"`     // those that are open first, then failed, waiting, ended
	LanesLeftOut  int          `json:"lanes_omitted"` // of which there are more than are listed
	DeadLetters   DeadLetters  `json:"dead_letters"`
	History       []PassRecord `json:"history"`       // passes that moved something or failed, the newest first; earlier processes included
	Errors        []Event      `json:"errors"`        // the last warnings and errors, the newest first
	Events        []Event      `json:"events"`        // the newest first
	Configuration string       `json:"configuration"` // YAML: in effect, defaults included, without secrets
}

// LaneView is how far a lane is.
type LaneView struct {
	Name     string   `json:"name"`
	State    string   `json:"state"` // waiting, open, ended or failed
	Records  Records  `json:"records"`
	Bytes    Bytes    `json:"bytes"`
	Objects  Objects  `json:"objects"`
	Expected Expected `json:"expected"`
	Done     *float64 `json:"done"`
	Left     *float64 `json:"left"`
	Starts   int      `json:"starts"` // how often it started over
	Position Place    `json:"position"`
	Held     int      `json:"held"`            // items that the sink has and that are not done
	Stage    string   `json:"stage,omitempty"` // for which the others wait
	Error    string   `json:"error,omitempty"` // why it failed
}

// Place is where a lane goes on; long texts are cut.
type Place struct {
	Token string `json:"token"`
	Key   string `json:"key,omitempty"`   // of the item it is inside of
	Inner string `json:"inner,omitempty"` // where
}

// DeadLetters are those of this process.
type DeadLetters struct {
	Place   string       `json:"place"`  // where they are kept; "": there are none, the first ends the run
	Show    string       `json:"show"`   // the command that lists them
	Replay  string       `json:"replay"` // the command that sends them again
	Reasons []DeadReason `json:"reasons"`
}

// DeadReason counts dead letters that have the same reason.
type DeadReason struct {
	Reason  string    `json:"reason"`
	Stage   string    `json:"stage"`
	Count   int64     `json:"count"`
	Last    time.Time `json:"last"`
	Example *Example  `json:"example"` // the last one; null for those who may not see data
}

// Example is a dead letter.
type Example struct {
	Lane   string `json:"lane"`
	Key    string `json:"key"`
	Line   int64  `json:"line"`   // the record's number from its position on; -1: all of an object
	Reason string `json:"reason"` // in full
	Record string `json:"record"` // cut at 2,000 bytes
}

// PassRecord is a pass that has ended.
type PassRecord struct {
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
	Tries int       `json:"tries"` // how often it was begun, the first time at Began
	Report
}

// Event is something that happened: a line of the log.
type Event struct {
	Time     time.Time      `json:"time"`
	Level    string         `json:"level"` // info, warn or error
	Pipeline string         `json:"pipeline,omitempty"`
	Message  string         `json:"message"`
	Values   map[string]any `json:"values"` // texts, numbers and truth values
	Repeated int64          `json:"repeated,omitempty"`
}

// Fault is the answer to a request that cannot be served.
type Fault struct {
	Error string `json:"error"`
}
