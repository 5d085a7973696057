package emr

// repeated is a table of texts that were there before. Keys, code systems and codes are
// repeated all the time.
type repeated [256]string

// of returns a text as a valid string, the same one for a text that was there before.
func (r *repeated) of(text []byte) string {
	n := len(text)
	if n == 0 || n > 64 {
		return valid(text)
	}
	slot := &r[slotOf(text)]
	if *slot != string(text) {
		*slot = valid(text)
	}
	return *slot
}

// slotOf returns the place of a text, which is not empty, in a table of 256.
func slotOf(text []byte) uint8 {
	n := len(text)
	return uint8(uint(n)*31 + uint(text[0])*7 + uint(text[n/2])*13 + uint(text[n-1])*17)
}
