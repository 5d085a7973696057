package emr

import (
	"slices"
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// A cdaAct is an act that is open.
type cdaAct struct {
	depth     int
	kind      string        // name of its element
	inherited index.Context // from the acts around it, or from the section
	context   index.Context
	negated   bool
	problem   bool         // a diagnosis or complaint
	concern   bool         // that a problem or allergy is followed up
	status    bool         // an observation that tells the status of the one around it
	findings  []cdaFinding // codes that name what was observed
	told      bool         // it has a code, or a text in place of that
	passage   string       // of the narrative, which says the same
}

// A cdaFinding is a code by its position in the document.
type cdaFinding struct {
	at     int
	system string
}

// begin opens the statement of an act.
func (w *cdaWalker) begin(local string, a *cdaAttributes) {
	act := cdaAct{depth: len(w.path), kind: local}
	if n := len(w.acts); n == 0 {
		act.inherited = w.section.context
	} else if w.parent() == "entryRelationship" && w.relationship == "RSON" { // a reason is not meant as what it is one for
		act.inherited = w.section.context
	} else {
		act.inherited = w.acts[n-1].inherited.Over(w.acts[n-1].context)
	}
	w.b.open()
	if w.parent() == "entryRelationship" && w.relationship == "RSON" {
		w.b.subject("")
	}
	act.negated = a.negated
	if act.negated {
		act.context = index.NotDone
		if local == "observation" || local == "act" || local == "organizer" {
			act.context = index.Refuted
		}
	}
	switch a.mood {
	case "INT", "RQO", "PRMS", "ARQ", "APT":
		// A medication in a list of them is meant to be taken, and mostly is.
		if w.section.plan || local != "substanceAdministration" && local != "supply" {
			act.context = act.context.Over(index.Planned)
		}
	case "PRP", "GOL", "SLOT":
		act.context = act.context.Over(index.Planned)
	case "RSK":
		act.context = act.context.Over(index.Risk)
	}
	w.acts = append(w.acts, act)
}

func (w *cdaWalker) act() *cdaAct {
	if len(w.acts) == 0 {
		return nil
	}
	return &w.acts[len(w.acts)-1]
}

// finishAct closes the statement of the innermost act.
func (w *cdaWalker) finishAct() {
	act := w.act()
	if !act.told && act.passage != "" {
		w.b.words(act.passage)
	}
	w.b.inContext(act.inherited.Over(act.context))
	w.b.close()
	w.acts = w.acts[:len(w.acts)-1]
}

// qualify adds a context to the innermost act.
func (w *cdaWalker) qualify(c index.Context) {
	if act := w.act(); act != nil && c != "" {
		act.context = act.context.Over(c)
	}
}

// judge takes elements that tell how an act, or the acts of a section, are meant.
func (w *cdaWalker) judge(local string, a *cdaAttributes) {
	switch local {
	case "code":
		if w.parent() == "section" {
			context, plan := sectionContext(a.code)
			w.section.context, w.section.plan = context.Over(w.section.context), plan || w.section.plan
		}
	case "templateId":
		w.template(a.root)
	case "value":
		if act := w.act(); a.value == "false" && act != nil && act.depth == len(w.path)-1 {
			w.absent()
		}
	case "statusCode":
		act := w.act()
		if act == nil || act.depth != len(w.path)-1 {
			return
		}
		switch a.code {
		case "cancelled":
			w.qualify(index.NotDone)
		case "nullified":
			w.qualify(index.Error)
		case "completed":
			if act.concern {
				w.qualify(index.Historic)
			}
		}
	case "uncertaintyCode":
		if a.code == "UN" {
			w.qualify(index.Suspected)
		}
	case "relatedSubject": // somebody else is meant
		if w.act() == nil && w.section.depth > 0 {
			w.section.context = w.section.context.Over(index.Family)
		}
		w.qualify(index.Family)
	}
}

// template takes the type of an act in C-CDA.
func (w *cdaWalker) template(root string) {
	act := w.act()
	if act == nil || act.depth != len(w.path)-1 {
		return
	}
	switch root {
	case "2.16.840.1.113883.10.20.22.4.3", "2.16.840.1.113883.10.20.22.4.30":
		act.concern = true
	case "2.16.840.1.113883.10.20.22.4.136":
		w.qualify(index.Risk)
	case "2.16.840.1.113883.10.20.22.4.4":
		act.problem = true
	case "2.16.840.1.113883.10.20.22.4.45", "2.16.840.1.113883.10.20.22.4.46", "2.16.840.1.113883.10.20.22.4.47":
		w.qualify(index.Family)
	}
}

// sectionContext returns the context of the entries of a section by its code of LOINC,
// and whether it is of what is to be done.
func sectionContext(code string) (c index.Context, plan bool) {
	switch code {
	case "10157-6": // family history
		return index.Family, false
	case "11348-0": // history of past illness
		return index.Historic, false
	case "18776-5": // plan of treatment
		return "", true
	}
	return "", false
}

// ended notes the end of the time of an act. A problem that has one is over.
func (w *cdaWalker) ended(high string) {
	act := w.act()
	if act == nil || !act.problem || act.depth != len(w.path)-1 {
		return
	}
	if _, ok := index.ParseDate(high); ok {
		w.qualify(index.Historic)
	}
}

// isStatus takes a value that tells the status of the act around the present one.
func (w *cdaWalker) isStatus(local, code string) bool {
	act := w.act()
	if local != "value" || act == nil || !act.status || act.depth != len(w.path)-1 {
		return false
	}
	switch code {
	case "413322009", "73425007", "277022003": // resolved, inactive, in remission
		if n := len(w.acts); n > 1 {
			w.acts[n-2].context = w.acts[n-2].context.Over(index.Historic)
		}
	}
	return true
}

// finding takes a code of an act: what was observed, and whether it was absent.
func (w *cdaWalker) finding(local, system, code string, at int) {
	act := w.act()
	if act == nil {
		return
	}
	own := act.depth == len(w.path)-1
	if !own || act.kind != "observation" || local != "code" {
		act.told = true
	}
	if !own {
		return
	}
	switch local {
	case "code":
		act.status = code == "33999-4"
		if familyHistory[code] {
			w.qualify(index.Family)
		}
		if act.kind == "observation" && at >= 0 && len(act.findings) < maxIdentifiers {
			act.findings = append(act.findings, cdaFinding{at, system})
		}
	case "value":
		if isAbsent(system, code) {
			w.absent()
		}
	case "interpretationCode":
		if isNegative(code) {
			w.absent()
		}
	}
}

// tells notes a text in place of a code.
func (w *cdaWalker) tells(text string) {
	if act := w.act(); act != nil && strings.TrimSpace(text) != "" {
		act.told = true
	}
}

// valueText takes the text of a value: of a problem, say, but not the result of a test.
func (w *cdaWalker) valueText(text string) {
	act := w.act()
	switch {
	case act == nil || strings.TrimSpace(text) == "":
	case isAbsentWord(text):
		w.absent()
	case act.asked():
	default:
		w.b.work.spend(2 * len(text))
		w.b.words(text)
		act.told = true
	}
}

// asked reports whether the code of an act is one of LOINC, which names a question.
func (a *cdaAct) asked() bool {
	return slices.ContainsFunc(a.findings, func(f cdaFinding) bool { return index.Prefix(f.system) == index.LOINC })
}

// refer takes a reference to a passage of the narrative: for a code, for a value, or for
// an act, which may have a code to come.
func (w *cdaWalker) refer(to string) {
	act := w.act()
	switch {
	case w.parent() == "originalText" && w.open == len(w.path)-1:
		w.b.work.spend(priceFact)
		passage := w.narrative.of(to)
		w.b.words(passage)
		w.tells(passage)
	case act == nil:
	case w.parent() == "value" && act.depth == len(w.path)-2:
		w.b.work.spend(priceFact)
		w.valueText(w.narrative.of(to))
	case w.parent() == "text" && act.depth == len(w.path)-2:
		w.b.work.spend(priceFact)
		act.passage = w.narrative.of(to)
	}
}

// absent refutes what the innermost act looked for.
func (w *cdaWalker) absent() {
	act := w.act()
	if act == nil {
		return
	}
	for _, f := range act.findings {
		if index.Prefix(f.system) != index.LOINC { // which names the question
			w.b.restate(f.at, index.Refuted)
		}
	}
}
