package emr

import (
	"slices"
	"strconv"
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// A message is a statement about its patient. Segments of their own within it, and
// orders with what belongs to them, are statements in it: they have dates of their own.

// hl7Statements are segments that are a statement each.
var hl7Statements = set("DG1", "DRG", "PR1", "AL1", "IAM", "ACC", "PDA", "OBX", "SPM", "SCH", "AIS", "AIG", "AIL", "AIP")

// hl7Orders are segments that begin an order, a document or the like. Those after it
// belong to it. ORC begins what the next one of them goes on with.
var hl7Orders = set("ORC", "OBR", "RXO", "RXE", "RXD", "RXG", "RXA", "FT1", "TXA", "PRB", "GOL", "PTH")

// A hl7Order is an open order.
type hl7Order struct {
	segments []string // of hl7Orders, that it has
	context  index.Context
	family   bool // its observations are of relatives
	notGiven bool // a vaccine
}

// newMessage opens the statement of a message.
func (h *hl7Reader) newMessage(event string) {
	h.endMessage()
	h.messages++
	h.patients, h.appointment, h.event = 0, "", strings.Clone(event)
	h.person = "message " + strconv.Itoa(h.messages)
	h.b.open()
	h.b.subject(h.person)
	h.inMessage = true
}

func (h *hl7Reader) endMessage() {
	h.endOrder()
	if h.inMessage {
		h.b.close()
	}
	h.inMessage = false
}

// newPatient opens a statement of its own for the second and each further patient of a
// message. Event A24 links two identifiers of one patient.
func (h *hl7Reader) newPatient() {
	h.endOrder()
	if h.patients++; h.patients == 1 || h.event == "A24" || !h.inMessage {
		return
	}
	h.b.close()
	h.person = "message " + strconv.Itoa(h.messages) + " patient " + strconv.Itoa(h.patients)
	h.b.open()
	h.b.subject(h.person)
}

func (h *hl7Reader) newOrder(name string) {
	if h.inOrder {
		first, joins := h.order.segments[0], false
		if first == "ORC" && name != "ORC" {
			joins = len(h.order.segments) == 1 || name[:2] == "RX" && !slices.Contains(h.order.segments, name) && h.order.segments[1][:2] == "RX"
		}
		if joins {
			h.order.segments = append(h.order.segments, strings.Clone(name))
			return
		}
		h.endOrder()
	}
	h.b.open()
	h.inOrder, h.order = true, hl7Order{segments: append(h.order.segments[:0], strings.Clone(name))}
}

func (h *hl7Reader) endOrder() {
	if h.inOrder {
		h.close()
	}
	h.inOrder = false
}

// close ends a statement. One with dates of its own also has the patient of its own; one
// without goes with that around it.
func (h *hl7Reader) close() {
	if s := h.b.now(); s != nil && len(s.dates)+len(s.periods) > 0 {
		h.b.subject(h.person)
	}
	h.b.close()
}

// context returns how a segment is meant.
func (h *hl7Reader) context(name string, field func(int) string) index.Context {
	code := func(n int) string { return strings.ToUpper(h.part(field(n), 0)) }
	deleted := func(n int, by ...string) index.Context {
		if slices.Contains(by, code(n)) {
			return index.Error
		}
		return ""
	}
	word := func(n int) index.Context {
		return contextOfWord(h.part(field(n), 0)).Over(contextOfWord(h.part(field(n), 1)))
	}
	switch name {
	case "DG1":
		return deleted(21, "D").Over(word(6))
	case "PR1":
		return deleted(20, "D")
	case "IAM":
		status := map[string]index.Context{"E": index.Error, "I": index.Historic, "U": index.Suspected, "S": index.Suspected, "P": index.Suspected, "D": index.Suspected}[code(17)]
		return deleted(6, "D").Over(status)
	case "PRB":
		context := deleted(1, "DE").Over(word(13)).Over(word(14))
		if _, ended := index.ParseDate(h.part(field(9), 0)); ended && field(14) == "" {
			context = context.Over(index.Historic)
		}
		return context
	case "GOL", "PTH":
		return deleted(1, "DE")
	case "OBX":
		context := deleted(11, "D", "W")
		if code(11) == "X" || code(11) == "N" || h.part(field(3), 0) == vaccineType && h.order.notGiven {
			context = context.Over(index.NotDone)
		}
		if h.inOrder && h.order.family || familyHistory[h.part(field(3), 0)] {
			context = context.Over(index.Family)
		}
		return context
	case "ORC":
		if slices.Contains([]string{"CA", "OC", "CR", "UA"}, code(1)) || code(5) == "CA" {
			h.order.context = index.NotDone
		}
		return h.order.context
	case "OBR":
		h.order.family = familyHistory[h.part(field(4), 0)]
		if code(25) == "X" {
			h.order.context = index.NotDone
		}
		return h.order.context
	case "RXA":
		h.order.notGiven = code(20) == "RE" || code(20) == "NA"
		if h.order.notGiven {
			return deleted(21, "D").Over(index.NotDone)
		}
		return deleted(21, "D").Over(h.order.context)
	case "RXO", "RXE", "RXC", "RXD", "RXG":
		return h.order.context
	case "TXA":
		return deleted(19, "CA")
	case "SCH":
		h.appointment = appointmentContext(h.event, code(25))
		return h.appointment
	case "AIS":
		if code(10) != "" {
			return appointmentContext(h.event, code(10))
		}
		return h.appointment
	}
	return ""
}

// appointmentContext returns the context of an appointment by the event and its status
// (table 0278). Without a status it is still to come.
func appointmentContext(event, status string) index.Context {
	switch status {
	case "CANCELLED", "CANCELED", "DC", "DELETED", "NOSHOW":
		return index.NotDone
	case "STARTED", "COMPLETE", "COMPLETED", "ARRIVED":
		return ""
	}
	switch event {
	case "S15", "S16", "S17", "S26":
		return index.NotDone
	}
	return index.Planned
}

// familyHistory are codes of LOINC and SNOMED CT for the diseases of relatives.
var familyHistory = set("10157-6", "54114-4", "8670-2", "54116-9", "416471007", "57177007", "281666001")

// Codes of LOINC for vaccines that are to be given, and for the type of the one before.
const (
	vaccinesDue = "30979-9"
	vaccineType = "30956-7"
)

// contextOfWord returns the context of a word or abbreviation by which senders qualify a
// diagnosis or a problem.
func contextOfWord(word string) index.Context {
	word = strings.ToLower(strings.Trim(word, " ."))
	switch word {
	case "ruled out", "rule out", "ruled-out", "rule-out", "r/o", "ro", "excluded", "exclusion", "refuted", "absent", "negated", "ausschluss", "ausgeschlossen":
		return index.Refuted
	case "entered in error", "entered-in-error", "error", "erroneous", "deleted":
		return index.Error
	case "suspected", "suspect", "suspicion", "provisional", "differential", "unconfirmed", "probable", "possible", "presumptive", "verdacht", "verdacht auf", "v.a", "v":
		return index.Suspected
	case "resolved", "inactive", "remission", "historical", "history", "history of", "zustand nach", "z.n", "z":
		return index.Historic
	case "family history", "family":
		return index.Family
	case "planned", "proposed", "pending":
		return index.Planned
	}
	return ""
}

// germanCertainty takes the mark of certainty off a code of the German ICD-10, such as
// "I21.4V" or "M17.1 GL", which may have that of a side as well.
func germanCertainty(system, code string) (string, index.Context) {
	if len(code) < 4 || len(code) > 12 || strings.IndexByte("AVZGRLBavzgrlb ", code[len(code)-1]) < 0 || len(system) > 256 {
		return code, ""
	}
	name := strings.ToLower(system)
	if !strings.Contains(name, "gm") && !strings.HasPrefix(name, "i10g") && !strings.HasPrefix(name, "1.2.276.") {
		return code, ""
	}
	rest := code
	mark := ""
	for len(rest) > 3 && strings.IndexByte("AVZGRLBavzgrlb ", rest[len(rest)-1]) >= 0 {
		if c := rest[len(rest)-1]; strings.IndexByte("AVZGavzg", c) >= 0 {
			mark = strings.ToUpper(string(c))
		}
		rest = rest[:len(rest)-1]
	}
	if last := rest[len(rest)-1]; mark == "" || strings.IndexByte("0123456789-+*!", last) < 0 {
		return code, ""
	}
	return rest, certainty(mark)
}

// isCertainty reports whether a code system is that of the certainty of a diagnosis.
func isCertainty(system string) bool {
	return len(system) > 9 && len(system) <= 256 && (system[0] > '9' && strings.Contains(strings.ToLower(system), "sicherheit") || strings.HasSuffix(system, "1.2.276.0.76.3.1.1.5.1.21") ||
		strings.HasSuffix(system, "2.16.840.1.113883.3.7.1.8"))
}
