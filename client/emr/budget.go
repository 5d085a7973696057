package emr

import "errors"

// maxWork bounds the work for one record. A unit is about five nanoseconds on an ordinary
// machine. Readers count work instead of time, so that the same record always gives the
// same facts.
const maxWork = 256 << 20

// Prices of steps that cost far more than the bytes they read. Four bytes cost one unit
// when they are read.
const (
	priceField   = 16 // a JSON value, an HL7 field, a DICOM element
	priceNesting = 24 // a JSON object or array
	priceToken   = 64 // of the XML decoder
	priceFact    = 48 // a value that is cleaned and looked up
)

var errBudget = errors.New("too much work")

// A budget is the work that is left for one record.
type budget struct {
	left int64
	stop func() error // tells why the caller no longer wants the facts, or nil

	stopped error // the first one that stop gave
}

func newBudget(stop func() error) *budget { return &budget{left: maxWork, stop: stop} }

func (w *budget) spend(units int) { w.left -= int64(units) }

func (w *budget) spent() bool { return w.left < 0 }

// check returns errBudget once the work is spent, or the error of stop. Every read of the
// record checks. A reader that computes for long between two reads must check as well.
func (w *budget) check() error {
	if w.spent() {
		return errBudget
	}
	if w.stopped == nil {
		w.stopped = w.stop()
	}
	return w.stopped
}
