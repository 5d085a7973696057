package emr

import "errors"

// A record may cost baseWork, and workPerByte more for each of its bytes. A unit is about
// five nanoseconds on an ordinary machine. The second part lets a record be long:
// ordinary records cost less for each byte. Readers count work instead of time, so that
// the same record always gives the same facts.
const (
	baseWork    = 96 << 20
	workPerByte = 2
)

// Prices of steps that cost far more than the bytes they read. Four bytes cost one unit
// when they are read.
const (
	priceField   = 12   // a JSON value, an XML attribute, a DICOM element
	priceER7     = 4    // an HL7 field; a repetition costs four
	priceNesting = 16   // a JSON object or array
	priceToken   = 40   // an XML tag, text or comment, an HL7 segment
	priceFact    = 32   // a value that is cleaned and looked up
	priceMarks   = 2    // a byte in which marks are looked for
	priceLine    = 6    // a line in which they are
	priceCharset = 64   // a text that is decoded, besides its bytes
	priceEscape  = 24   // an escape sequence that chooses a character set
	priceSystem  = 1000 // a code system that is looked up
	priceDeflate = 32   // a byte that is inflated: a block of twelve may have two code tables
)

var errBudget = errors.New("too much work")

// A budget is the work that is left for one record.
type budget struct {
	left int64
	stop func() error // tells why the caller no longer wants the facts, or nil

	stopped error // the first one that stop gave
}

func newBudget(stop func() error, base int) *budget { return &budget{left: int64(base), stop: stop} }

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
