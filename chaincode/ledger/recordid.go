package ledger

import "encoding/hex"

// FormatRecordID gives the text of a record id: 32 lower-case hexadecimal digits. It is
// the form in JSON, in state keys and on the command line.
func FormatRecordID(id [RecordIDSize]byte) string { return hex.EncodeToString(id[:]) }

// ParseRecordID reads the text that [FormatRecordID] gives, and no other form of it, so
// that a record has one id and one state key.
//
// Errors:
//   - ErrInvalid if the text is anything else.
func ParseRecordID(text string) ([RecordIDSize]byte, error) {
	id, err := hex.DecodeString(text)
	if err != nil || len(id) != RecordIDSize || hex.EncodeToString(id) != text {
		return [RecordIDSize]byte{}, Errorf(ErrInvalid, "%.64q is not a record id: needs %d lower-case hexadecimal digits", text, 2*RecordIDSize)
	}
	return [RecordIDSize]byte(id), nil
}
