package emr

import "encoding/xml"

func isAppleHealth(root xml.Name) bool { return root.Local == "HealthData" }

func newAppleHealthWalker(b *builder, _ xml.Name) xmlWalker {
	b.doc.Kind = "apple-health"
	return &appleHealthWalker{b: b}
}

// appleHealthWalker takes the types and the days of the measurements that Apple Health
// exports, and the date of birth. Clinical records are files of their own beside it.
type appleHealthWalker struct{ b *builder }

func (w *appleHealthWalker) start(e xml.StartElement) {
	switch e.Name.Local {
	case "Me":
		born, _ := attr(e, "HKCharacteristicTypeIdentifierDateOfBirth")
		w.b.born(born)
	case "Record", "Workout", "Correlation", "ClinicalRecord":
		w.b.open()
		for _, name := range []string{"type", "workoutActivityType"} {
			if code, ok := attr(e, name); ok {
				w.b.code("apple-health", code)
			}
		}
		from, _ := attr(e, "startDate")
		to, _ := attr(e, "endDate")
		w.b.period(from, to)
		received, _ := attr(e, "receivedDate")
		w.b.date(received)
		w.b.close()
	}
}

func (w *appleHealthWalker) text(string) {}
func (w *appleHealthWalker) end()        {}
