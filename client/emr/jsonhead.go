package emr

import "bytes"

// beginsJSON reports whether a text goes on like JSON after its first brace or bracket. A
// note may begin with one too.
func beginsJSON(b []byte) bool {
	const space = " \t\r\n"
	for depth := 0; depth < maxDepth; depth++ {
		b = bytes.TrimLeft(b, space+"\x1e")
		if len(b) == 0 {
			return true // cut off
		}
		first := b[0]
		b = bytes.TrimLeft(b[1:], space)
		switch {
		case len(b) == 0:
			return true
		case first == '{':
			if b[0] != '"' {
				return b[0] == '}'
			}
			after, closed := afterJSONString(b)
			after = bytes.TrimLeft(after, space)
			return !closed || len(after) == 0 || after[0] == ':'
		case first != '[':
			return false
		case b[0] == '{' || b[0] == '[':
			continue
		}
		return beginsJSONArray(b, depth)
	}
	return true
}

// beginsJSONArray takes the elements of an array after its bracket, up to the first that
// is an object or array.
func beginsJSONArray(b []byte, depth int) bool {
	const space = " \t\r\n"
	for {
		b = bytes.TrimLeft(b, space)
		switch {
		case len(b) == 0 || b[0] == '{' || b[0] == '[':
			return true
		case b[0] == ']':
		case b[0] == '"':
			closed := false
			if b, closed = afterJSONString(b); !closed {
				return true
			}
		default:
			n := 0
			for n < len(b) && (b[n] >= '0' && b[n] <= '9' || b[n] >= 'a' && b[n] <= 'z' || bytes.IndexByte([]byte("+-.E"), b[n]) >= 0) {
				n++
			}
			if n == 0 {
				return false
			}
			b = b[n:]
		}
		b = bytes.TrimLeft(b, space)
		switch {
		case len(b) == 0:
			return true
		case b[0] == ',':
			b = b[1:]
		case b[0] == ']':
			b = bytes.TrimLeft(b[1:], space)
			return depth > 0 || len(b) == 0 || b[0] == '{' || b[0] == '['
		default:
			return false
		}
	}
}

// afterJSONString returns what follows the string at the start of a text.
func afterJSONString(b []byte) (after []byte, closed bool) {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return b[i+1:], true
		}
	}
	return nil, false
}
