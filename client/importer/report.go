package importer

import (
	"errors"
	"io/fs"
	"time"
)

// The outcomes of an item.
const (
	StatusSealed  = "sealed"
	StatusPresent = "present" // sealed by an earlier run whose mark was lost
	StatusFailed  = "failed"
	StatusSkipped = "skipped" // not a record: a link, a pipe, an entry without a resource
)

// A Row is the outcome of an item.
type Row struct {
	File     string   `json:"file"` // path below the source
	Part     int      `json:"part,omitempty"`
	Status   string   `json:"status"`
	Record   string   `json:"record,omitempty"`
	Kind     string   `json:"kind,omitempty"`
	Rule     string   `json:"rule,omitempty"`
	Policy   string   `json:"policy,omitempty"`
	Scope    string   `json:"scope,omitempty"`
	Keywords []string `json:"keywords,omitempty"` // the rule's

	PatientKey string   `json:"patientKey,omitempty"` // the rule's
	Size       int64    `json:"size"`
	Entries    int      `json:"entries,omitempty"`
	Reason     string   `json:"reason,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`
}

// A Summary counts items by outcome.
type Summary struct {
	Sealed  int   `json:"sealed"`  // in this run
	Indexed int   `json:"indexed"` // records whose last index entries this run has written, also of earlier runs
	Before  int   `json:"before"`  // sealed by earlier runs of the job
	Failed  int   `json:"failed"`  // see their rows
	Skipped int   `json:"skipped"` // see their rows
	Bare    int   `json:"bare"`    // sealed in this run, and nothing was found in them but their kind
	Entries int   `json:"entries"` // index terms of the sealed records
	Bytes   int64 `json:"bytes"`   // of the sealed records
	Read    int64 `json:"-"`       // bytes of all items so far, for progress

	Seconds          float64 `json:"seconds"`
	RecordsPerSecond float64 `json:"recordsPerSecond"`
	EntriesPerSecond float64 `json:"entriesPerSecond"`
}

func (s *Summary) rate(took time.Duration) {
	s.Seconds = took.Seconds()
	if s.Seconds > 0 {
		s.RecordsPerSecond, s.EntriesPerSecond = float64(s.Sealed)/s.Seconds, float64(s.Entries)/s.Seconds
	}
}

// reason is the text of an error, without the path that the row has already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
