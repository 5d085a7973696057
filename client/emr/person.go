package emr

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// people are the persons of a record, as a forest: keys of one person have one root.
type people struct {
	parent []int
	keys   map[string]int
	owners []int         // of identifiers, by position in the document
	also   map[int][]int // their other owners
	owned  map[[2]int]bool
	others []int // who are no patients
	uses   map[int][]use
}

// A use is that of a thing by statements of a person in a context.
type use struct {
	person         int
	context        index.Context
	dates, periods []int
	undated        bool // one of them has no dates
}

func (p *people) root(i int) int {
	for p.parent[i] != i {
		p.parent[i] = p.parent[p.parent[i]]
		i = p.parent[i]
	}
	return i
}

func (p *people) join(x, y int) {
	x, y = p.root(x), p.root(y)
	p.parent[max(x, y)] = min(x, y)
}

// person returns the person of a key, a new one for a new key.
func (b *builder) person(key string) int {
	b.work.spend(priceFact)
	key = key[:min(len(key), maxValue)]
	p := &b.people
	if i, ok := p.keys[key]; ok {
		return p.root(i)
	}
	if len(p.parent) >= maxPersons {
		b.warnOnce("persons", "more than %d persons: the rest is not told apart", maxPersons)
		return p.root(maxPersons - 1)
	}
	if p.keys == nil {
		p.keys = make(map[string]int)
	}
	i := len(p.parent)
	p.parent = append(p.parent, i)
	p.keys[strings.Clone(key)] = i
	return i
}

// samePerson says that two keys name one person.
func (b *builder) samePerson(key, other string) { b.people.join(b.person(key), b.person(other)) }

// noPatient says that a person is no patient. It has no identifiers then.
func (b *builder) noPatient(key string) { b.people.others = append(b.people.others, b.person(key)) }

// patient gives an identifier to the patient of a record that has one only.
func (b *builder) patient(system, value string) { b.identify("", system, value) }

// identify gives a person an identifier. Persons with a common one of the same system are
// one. A system is who assigns it: without one, two persons may have the same.
func (b *builder) identify(key, system, value string) { b.identifyBy(key, system, value, system != "") }

// identifyBy does the same, and is told whether the identifier is of one person only.
func (b *builder) identifyBy(key, system, value string, unique bool) {
	f := fact{list: "patient identifiers", system: clean(system), value: clean(value)}
	if f.value == "" {
		return
	}
	x := b.person(key)
	at, isNew, ok := b.place(f, len(b.doc.Patients))
	p := &b.people
	if isNew {
		b.doc.Patients = append(b.doc.Patients, index.Identifier{System: f.system, Value: f.value})
		p.owners = append(p.owners, x)
		return
	}
	switch {
	case !ok || p.owners[at] == x || p.owned[[2]int{at, x}]:
	case unique:
		p.join(x, p.owners[at])
	case len(p.owned) >= maxOwned:
		b.warnOnce("owners", "more identifiers are shared by patients than are read: the rest are those of one of them")
	default:
		if p.owned == nil {
			p.owned, p.also = make(map[[2]int]bool), make(map[int][]int)
		}
		p.owned[[2]int{at, x}] = true
		p.also[at] = append(p.also[at], x)
	}
}

// ownersOf returns the persons who have an identifier.
func (p *people) ownersOf(at int) iter.Seq[int] {
	return func(yield func(int) bool) {
		if !yield(p.root(p.owners[at])) {
			return
		}
		for _, x := range p.also[at] {
			if !yield(p.root(x)) {
				return
			}
		}
	}
}

// uses says that the open statement, which is of a person, uses what another statement
// describes, such as a medication, whose person is then a key of its own. It is said of
// all who use it, at their times, and is meant as they do.
func (b *builder) uses(key, thing string) {
	s := b.now()
	x, y := b.person(key), b.person(thing)
	p := &b.people
	if p.uses == nil {
		p.uses = make(map[int][]use)
	}
	all := p.uses[y]
	i := slices.IndexFunc(all, func(u use) bool { return u.person == x && u.context == s.context })
	if i < 0 {
		if i = len(all); i >= maxUses {
			return
		}
		all = append(all, use{person: x, context: s.context})
		p.uses[y] = all
	}
	u := &all[i]
	u.undated = u.undated || len(s.dates)+len(s.periods) == 0
	if b.stated <= maxStated {
		b.stated += len(s.dates) + len(s.periods)
		u.dates = appendOnce(u.dates, cmp.Compare, s.dates...)
		u.periods = appendOnce(u.periods, cmp.Compare, s.periods...)
	}
}

// spread gives what was said of things to those who use them, once for each context. The
// users of a thing in a context are a person of their own, with the identifiers of all.
func (b *builder) spread(ids map[int][]int) (users map[int][]int) {
	if len(b.people.uses) == 0 {
		return nil
	}
	uses := make(map[int][]use)
	for thing, all := range b.people.uses {
		root := b.people.root(thing)
		uses[root] = append(uses[root], all...)
	}
	users = make(map[int][]int)
	made := make(map[int][]int) // for each thing, by the position of the context
	for i, s := range b.said {
		if s.person == nobody {
			continue
		}
		thing := b.people.root(s.person)
		all := uses[thing]
		if len(all) == 0 || len(ids[thing]) > 0 {
			continue
		}
		first := true
		for n, c := range append([]index.Context{""}, index.Contexts...) {
			part := said{context: c.Over(s.context), codes: slices.Clone(s.codes), texts: slices.Clone(s.texts), dates: slices.Clone(s.dates), periods: slices.Clone(s.periods)}
			var by []int
			undated := false
			for _, u := range all {
				if u.context == c {
					by = append(by, b.people.root(u.person))
					part.dates, part.periods = append(part.dates, u.dates...), append(part.periods, u.periods...)
					undated = undated || u.undated
				}
			}
			if len(by) == 0 {
				continue
			}
			if made[thing] == nil {
				made[thing] = make([]int, len(index.Contexts)+1)
			}
			if made[thing][n] == 0 {
				made[thing][n] = len(b.people.parent)
				b.people.parent = append(b.people.parent, len(b.people.parent))
				for _, person := range by {
					ids[made[thing][n]] = append(ids[made[thing][n]], ids[person]...)
				}
				users[made[thing][n]] = by
			}
			part.person = made[thing][n]
			if undated {
				part.dates, part.periods = nil, nil
			}
			if first {
				b.said[i], first = part, false
			} else {
				b.said = append(b.said, part)
			}
		}
	}
	for person := range users {
		slices.Sort(ids[person])
		ids[person] = slices.Compact(ids[person])
	}
	return users
}

// dropOthers removes the identifiers of those who are no patients.
func (b *builder) dropOthers() {
	if len(b.people.others) == 0 {
		return
	}
	other := make(map[int]bool)
	for _, i := range b.people.others {
		other[b.people.root(i)] = true
	}
	var patients []index.Identifier
	var owners []int
	also := make(map[int][]int)
	for i, id := range b.doc.Patients {
		own := slices.Collect(b.people.ownersOf(i))
		own = slices.DeleteFunc(own, func(p int) bool { return other[p] })
		if len(own) > 0 {
			also[len(patients)] = own[1:]
			patients, owners = append(patients, id), append(owners, own[0])
		}
	}
	b.doc.Patients, b.people.owners, b.people.also = patients, owners, also
}

// identifiers returns the positions of each person's identifiers, and whether there are
// several persons.
func (b *builder) identifiers() (ids map[int][]int, several bool) {
	out := make(map[int][]int)
	for i := range b.doc.Patients {
		for root := range b.people.ownersOf(i) {
			if own := out[root]; len(own) == 0 || own[len(own)-1] != i {
				out[root] = append(own, i)
			}
		}
	}
	return out, len(out) > 1
}

// finish closes what is open, and makes the document's statements.
func (b *builder) finish() {
	for len(b.statements) > 0 {
		b.close()
	}
	b.dropOthers()
	ids, several := b.identifiers()
	users := b.spread(ids)
	if !several && b.alike() {
		return
	}
	dates := make(map[int][]int) // of each person
	for i := range b.said {
		s := &b.said[i]
		slices.Sort(s.codes)
		slices.Sort(s.texts)
		slices.Sort(s.dates)
		slices.Sort(s.periods)
		s.dates, s.periods = slices.Compact(s.dates), slices.Compact(s.periods)
		s.codes, s.texts = slices.Compact(s.codes), slices.Compact(s.texts)
		if s.person != nobody {
			s.person = b.people.root(s.person)
		}
		if len(ids[s.person]) == 0 {
			s.person = nobody
		}
		dates[s.person] = append(dates[s.person], s.dates...)
	}
	for person, by := range users {
		for _, u := range by {
			dates[person] = append(dates[person], dates[u]...)
		}
	}
	recordDates, all := b.statedRecordDates()
	loose := index.Statement{} // patients and dates without codes, which go with none
	for _, s := range b.said {
		st := index.Statement{Context: s.context, Codes: s.codes, Texts: s.texts, Periods: s.periods}
		if several {
			st.Patients = append([]int{}, ids[s.person]...)
		}
		if len(s.codes)+len(s.texts) == 0 {
			loose.Dates = append(loose.Dates, s.dates...)
			loose.Periods = append(loose.Periods, s.periods...)
			continue
		}
		switch {
		case all:
		case len(s.dates)+len(s.periods) > 0:
			st.Dates = append(append([]int{}, s.dates...), recordDates...)
		case several: // it was at one of the times of its patient
			st.Dates = append(append([]int{}, dates[s.person]...), recordDates...)
			slices.Sort(st.Dates)
			st.Dates = slices.Compact(st.Dates)
		}
		b.doc.Statements = append(b.doc.Statements, st)
	}
	b.restateRecord()
	if several {
		loose.Patients = []int{}
		for i := range b.doc.Patients {
			loose.Patients = append(loose.Patients, i)
		}
	}
	slices.Sort(loose.Dates)
	loose.Dates = slices.DeleteFunc(slices.Compact(loose.Dates), func(d int) bool { return slices.Contains(b.recordDates, d) })
	if len(loose.Patients)+len(loose.Dates)+len(loose.Periods) > 0 {
		if loose.Dates == nil {
			loose.Dates = []int{}
		}
		b.doc.Statements = append(b.doc.Statements, loose)
	}
}

// restateRecord makes a plain statement of what the record says outside statements: one
// of them may say the same in another context.
func (b *builder) restateRecord() {
	of := func(list []int) []int {
		slices.Sort(list)
		return slices.Compact(list)
	}
	if codes, texts := of(b.recordCodes), of(b.recordTexts); len(codes)+len(texts) > 0 {
		b.doc.Statements = append(b.doc.Statements, index.Statement{Codes: codes, Texts: texts})
	}
}

// statedRecordDates returns the dates of the record that a statement has as well. The
// others go with all statements, since they are in none. It returns all instead if these
// are too many to be listed with each statement: then all dates go with all codes.
func (b *builder) statedRecordDates() (dates []int, all bool) {
	stated := make(map[int]bool)
	for _, s := range b.said {
		for _, d := range s.dates {
			stated[d] = true
		}
	}
	for _, d := range b.recordDates {
		if stated[d] {
			dates = append(dates, d)
		}
	}
	slices.Sort(dates)
	dates = slices.Compact(dates)
	return dates, len(dates)*len(b.said) > 4*maxStated
}

// alike reports whether all statements are plain, and of the same dates: then all facts
// of the record go together.
func (b *builder) alike() bool {
	dates := -1
	for i, s := range b.said {
		switch {
		case s.context != "":
			return false
		case len(s.dates)+len(s.periods) == 0 && len(s.codes)+len(s.texts) > 0:
			// it goes with all dates
		case dates < 0:
			dates = i
		case !slices.Equal(s.dates, b.said[dates].dates) || !slices.Equal(s.periods, b.said[dates].periods):
			return false
		}
	}
	return true
}
