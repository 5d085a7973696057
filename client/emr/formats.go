package emr

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
)

// A format is a line of the table of formats: how its records are recognised, and which
// function reads them.
type format struct {
	name            string // in warnings
	mediaType, kind string // of a record, unless the reader finds better ones
	limit           int64  // bytes that are read at most; 0 for no limit
	raw             bool   // the bytes as they are; otherwise text, decoded by its byte order mark

	// recognise judges by the first bytes of a record, up to headSize.
	recognise func(head []byte) strength

	// read takes facts from a record and gives them, and warnings, to the builder. It
	// reports malformed records by its error, which becomes a warning. As long as it has
	// only peeked at the input it may return errDeclined: the next candidate reads the
	// record then.
	read func(*input, *builder) error
}

// A strength is how surely a record is of a format.
type strength int

const (
	unlike    strength = iota // not of this format
	anyBytes                  // nothing is known but that there are bytes
	plainText                 // characters, without structure
	opening                   // a first character that records of this format have, and others may have
	signature                 // bytes that hardly any other format has at that place
)

// formats is the table of formats. A record goes to the format that recognises it with
// the greatest strength. Among equals the earlier line wins.
var formats = []format{
	{"DICOM", "application/dicom", "dicom", 0, true, isDICOM, readDICOM},
	{"PDF", "application/pdf", "pdf", 0, true, isPDF, readPDF},
	{"HL7 v2", "x-application/hl7-v2+er7", "hl7v2", 0, false, isHL7, readHL7},
	{"RTF", "application/rtf", "rtf", maxText, false, isRTF, readRTF},
	{"HTML", "text/html", "html", maxText, false, isHTML, readHTML},
	{"SMART health card", "application/smart-health-card", "smart-health-card", maxText, false, isHealthCard, readHealthCard},
	{"openEHR", "application/json", "openehr", 0, false, isOpenEHR, readOpenEHR},
	{"X12", "application/edi-x12", "x12", 0, false, isX12, readX12},
	{"JSON", "application/json", "json", 0, false, isJSON, readJSON},
	{"XML", "text/xml", "xml", 0, false, isXML, readXML(xmlFormats)},
	{"text", "text/plain", "text", maxText, false, isText, readText},
	{"binary", "application/octet-stream", "binary", 0, false, isBinary, readBinary},
}

var errDeclined = errors.New("a record of another format")

// candidates returns the formats that a record may have, the strongest first.
func candidates(table []format, raw, text []byte) []format {
	type candidate struct {
		format
		strength
	}
	var found []candidate
	for _, f := range table {
		head := text
		if f.raw {
			head = raw
		}
		if s := f.recognise(head); s > unlike {
			found = append(found, candidate{f, s})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(b.strength, a.strength) })
	out := make([]format, len(found))
	for i, c := range found {
		out[i] = c.format
	}
	return out
}

// isSigned reports whether bytes, before any decoding, have the signature of a format.
func isSigned(table []format, raw []byte) bool {
	return slices.ContainsFunc(table, func(f format) bool { return f.raw && f.recognise(raw) == signature })
}

// trimHead drops what may stand before a structured text: white space, and the frame of
// an HL7 v2 message.
func trimHead(head []byte) []byte { return bytes.TrimLeft(head, " \t\r\n\v\f\x1c") }

// startsWith returns a recogniser for texts whose first character is one of those given.
func startsWith(characters string) func([]byte) strength {
	return func(head []byte) strength {
		if start := trimHead(head); len(start) > 0 && bytes.IndexByte([]byte(characters), start[0]) >= 0 {
			return opening
		}
		return unlike
	}
}
