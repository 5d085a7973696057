package emr

// A hl7Use tells what a field is read as.
type hl7Use string

const (
	hl7Identifier   hl7Use = "identifier of the patient" // CX: both halves of its authority, or else its type
	hl7Born         hl7Use = "date of birth"
	hl7Died         hl7Use = "date" // of no code: of the death
	hl7Date         hl7Use = "date"
	hl7From         hl7Use = "first day of a period" // the last one is in another field
	hl7Range        hl7Use = "period"                // DR: both ends in the field
	hl7Timing       hl7Use = "period"                // TQ: components 4 and 5
	hl7Code         hl7Use = "codes and their texts" // CE, CWE, CNE: all three triplets, of any system
	hl7Text         hl7Use = "words"
	hl7Title        hl7Use = "title"
	hl7Person       hl7Use = "author" // XCN
	hl7Interpreter  hl7Use = "author" // NDL: a name with dates
	hl7Organisation hl7Use = "organisation"
	hl7Department   hl7Use = "department"
	hl7Label        hl7Use = "confidentiality"
	hl7Protection   hl7Use = "confidentiality" // Y for restricted
	hl7Value        hl7Use = "codes and their texts, or dates, as OBX-2 says"
	hl7Message      hl7Use = "kind of the record"
	hl7Context      hl7Use = "context" // how the segment is meant, see hl7context.go
)

// A hl7Field is a field that is read. From a period, to is the field of its last day.
type hl7Field struct {
	number int
	use    hl7Use
	kind   hl7Kind
	to     int
}

// A hl7Kind tells apart uses that read to the same facts.
type hl7Kind int

const (
	plainKind hl7Kind = iota
	deathKind
	timingKind
	interpreterKind
	protectionKind
	reasonKind // of an order that need not have been carried out
)

// hl7Table lists the fields that are read, by segment, in the order in which they are.
// docs/extraction.md has the same list, and a test compares them. Beside these, the codes
// of systems with a prefix of their own are taken from every field.
var hl7Table = map[string][]hl7Field{
	"MSH": {{number: 4, use: hl7Organisation}, {number: 9, use: hl7Message}, {number: 26, use: hl7Label}},
	"FHS": {{number: 15, use: hl7Label}},
	"BHS": {{number: 15, use: hl7Label}},
	"EVN": {{number: 2, use: hl7Date}, {number: 6, use: hl7Date}},
	"PID": {{number: 3, use: hl7Identifier}, {number: 2, use: hl7Identifier}, {number: 4, use: hl7Identifier}, {number: 19, use: hl7Identifier},
		{number: 7, use: hl7Born}, {number: 29, use: hl7Died, kind: deathKind}},
	"MRG": {{number: 1, use: hl7Identifier}, {number: 2, use: hl7Identifier}, {number: 4, use: hl7Identifier}},
	"PD1": {{number: 12, use: hl7Protection, kind: protectionKind}},
	"PV1": {{number: 3, use: hl7Department}, {number: 7, use: hl7Person}, {number: 10, use: hl7Department}, {number: 17, use: hl7Person},
		{number: 44, use: hl7From, to: 45}, {number: 45, use: hl7Date}},
	"PV2": {{number: 3, use: hl7Code}, {number: 8, use: hl7Date}, {number: 9, use: hl7Date}, {number: 22, use: hl7Protection, kind: protectionKind}, {number: 33, use: hl7Date}},
	"ARV": {{number: 3, use: hl7Label}, {number: 7, use: hl7Label}},
	"DG1": {{number: 3, use: hl7Code}, {number: 4, use: hl7Text}, {number: 5, use: hl7Date}, {number: 6, use: hl7Context}, {number: 21, use: hl7Context}},
	"DRG": {{number: 1, use: hl7Code}, {number: 2, use: hl7Date}},
	"PR1": {{number: 3, use: hl7Code}, {number: 4, use: hl7Text}, {number: 5, use: hl7Date}, {number: 20, use: hl7Context}},
	"AL1": {{number: 3, use: hl7Code}, {number: 5, use: hl7Text}, {number: 6, use: hl7Date}},
	"IAM": {{number: 3, use: hl7Code}, {number: 5, use: hl7Text}, {number: 6, use: hl7Context}, {number: 11, use: hl7Date}, {number: 17, use: hl7Context}},
	"ACC": {{number: 1, use: hl7Date}, {number: 2, use: hl7Code}},
	"PDA": {{number: 1, use: hl7Code}, {number: 4, use: hl7Date}},
	"PRB": {{number: 1, use: hl7Context}, {number: 2, use: hl7Date}, {number: 3, use: hl7Code}, {number: 7, use: hl7From, to: 9}, {number: 8, use: hl7Date}, {number: 9, use: hl7Date},
		{number: 13, use: hl7Context}, {number: 14, use: hl7Context}, {number: 16, use: hl7Date}},
	"GOL": {{number: 1, use: hl7Context}, {number: 2, use: hl7Date}, {number: 3, use: hl7Code}, {number: 7, use: hl7Date}},
	"PTH": {{number: 1, use: hl7Context}, {number: 2, use: hl7Code}, {number: 4, use: hl7Date}},
	"ORC": {{number: 1, use: hl7Context}, {number: 5, use: hl7Context}, {number: 7, use: hl7Timing, kind: timingKind}, {number: 9, use: hl7Date}, {number: 12, use: hl7Person},
		{number: 15, use: hl7Date}, {number: 16, use: hl7Code, kind: reasonKind}, {number: 28, use: hl7Label}},
	"OBR": {{number: 4, use: hl7Code}, {number: 7, use: hl7From, to: 8}, {number: 8, use: hl7Date}, {number: 14, use: hl7Date}, {number: 16, use: hl7Person}, {number: 22, use: hl7Date},
		{number: 25, use: hl7Context}, {number: 27, use: hl7Timing, kind: timingKind}, {number: 31, use: hl7Code, kind: reasonKind}, {number: 32, use: hl7Interpreter, kind: interpreterKind},
		{number: 36, use: hl7Date}, {number: 44, use: hl7Code}},
	"OBX": {{number: 3, use: hl7Code}, {number: 5, use: hl7Value}, {number: 11, use: hl7Context}, {number: 14, use: hl7Date}, {number: 19, use: hl7Date}},
	"TQ1": {{number: 7, use: hl7From, to: 8}, {number: 8, use: hl7Date}},
	"SPM": {{number: 4, use: hl7Code}, {number: 17, use: hl7Range}, {number: 18, use: hl7Date}},
	"RXO": {{number: 1, use: hl7Code}, {number: 20, use: hl7Code, kind: reasonKind}},
	"RXE": {{number: 1, use: hl7Timing, kind: timingKind}, {number: 2, use: hl7Code}, {number: 27, use: hl7Code, kind: reasonKind}},
	"RXD": {{number: 2, use: hl7Code}, {number: 3, use: hl7Date}},
	"RXG": {{number: 3, use: hl7Timing, kind: timingKind}, {number: 4, use: hl7Code}},
	"RXA": {{number: 3, use: hl7From, to: 4}, {number: 4, use: hl7Date}, {number: 5, use: hl7Code}, {number: 10, use: hl7Person}, {number: 19, use: hl7Code, kind: reasonKind},
		{number: 20, use: hl7Context}, {number: 21, use: hl7Context}},
	"RXC": {{number: 2, use: hl7Code}},
	"FT1": {{number: 4, use: hl7Range}, {number: 5, use: hl7Date}, {number: 7, use: hl7Code}, {number: 19, use: hl7Code}, {number: 25, use: hl7Code}},
	"TXA": {{number: 2, use: hl7Code}, {number: 4, use: hl7Date}, {number: 5, use: hl7Person}, {number: 6, use: hl7Date}, {number: 7, use: hl7Date}, {number: 8, use: hl7Date},
		{number: 9, use: hl7Person}, {number: 18, use: hl7Label}, {number: 19, use: hl7Context}, {number: 25, use: hl7Title}},
	"SCH": {{number: 7, use: hl7Code}, {number: 11, use: hl7Timing, kind: timingKind}, {number: 25, use: hl7Context}},
	"AIS": {{number: 3, use: hl7Code}, {number: 4, use: hl7Date}, {number: 10, use: hl7Context}},
	"AIG": {{number: 8, use: hl7Date}},
	"AIL": {{number: 6, use: hl7Date}},
	"AIP": {{number: 6, use: hl7Date}},
	"OM1": {{number: 30, use: hl7Label}},
}

// hl7Coded tells the fields with codes of any system, by segment and number.
var hl7Coded = func() map[string]*[64]byte {
	coded := make(map[string]*[64]byte)
	for segment, table := range hl7Table {
		var fields [64]byte
		any := false
		for _, f := range table {
			switch {
			case f.use == hl7Code && f.kind == reasonKind:
				fields[f.number], any = hl7IsReason, true
			case f.use == hl7Code:
				fields[f.number], any = hl7IsCode, true
			case f.use == hl7Context:
				fields[f.number], any = hl7IsContext, true
			case f.use == hl7Value:
				fields[f.number], any = hl7IsValue, true
			}
		}
		if any {
			coded[segment] = &fields
		}
	}
	return coded
}()

const (
	hl7IsCode = iota + 1
	hl7IsReason
	hl7IsContext // which is no fact
	hl7IsValue
)
