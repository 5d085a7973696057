package emr

import "strings"

// noClinicalDates are times of the administration, and dates of relatives.
var noClinicalDates = set("lastUpdated", "timestamp", "lastModified", "bornDate", "deceasedDate")

// isFHIRDate tells dates from other strings. The form suffices for whole days. A year or
// a month also needs the name of a date.
func isFHIRDate(key, value string) bool {
	if len(value) >= 10 {
		return value[4] == '-' && value[7] == '-' && (len(value) == 10 || value[10] == 'T')
	}
	if len(value) != 4 && (len(value) != 7 || value[4] != '-') {
		return false
	}
	switch key {
	case "start", "end", "issued", "recorded", "authoredOn", "created", "sent", "received":
		return true
	}
	return strings.HasSuffix(key, "Date") || strings.HasSuffix(key, "DateTime") || key == "date"
}

// times takes the dates that need their neighbours.
func (w *fhirWalker) times(f *fhirFrame) {
	start, end, value, other := f.members[fhirStart], f.members[fhirEnd], f.members[fhirValueDate], f.members[fhirValue]
	if f.admin || start == "" && end == "" && value == "" && other == "" {
		return
	}
	if isFHIRDate("value", other) { // of a criterion, as a whole day
		w.b.date(other)
	}
	if isFHIRDate("start", start) || isFHIRDate("end", end) {
		w.b.period(start, end)
	}
	if value != "" && !strings.HasSuffix(f.members[fhirURL], "birthTime") && isFHIRDate("valueDate", value) {
		w.b.date(value)
	}
}
