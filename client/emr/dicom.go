package emr

import (
	"bufio"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// Transfer syntaxes other than explicit VR little endian.
const (
	implicitLittleEndian = "1.2.840.10008.1.2"
	explicitBigEndian    = "1.2.840.10008.1.2.2"
	deflatedLittleEndian = "1.2.840.10008.1.2.1.99"
)

// maxInflated bounds the bytes of inflated elements.
const maxInflated = 64 << 20

const (
	dicomPreamble   = 128 + len("DICM")
	undefinedLength = 0xffffffff
	groupItems      = 0xfffe
	groupPixels     = 0x7fe0
	tagItem         = 0xfffee000
	tagItemEnd      = 0xfffee00d
	tagSequenceEnd  = 0xfffee0dd
)

var errDICOM = errors.New("malformed DICOM")

// A dicomReader reads the elements of a DICOM part 10 file (PS3.10, PS3.5) as they stream
// by, and stops at the pixels.
//
// It holds at most maxValue bytes of a value. A library would not do:
// github.com/suyashkumar/dicom, with which the tests compare it, keeps every element and
// allocates the length that an element claims, up to 4 GiB.
//
// The elements of sequences are read like all others. Only codes depend on the start of
// an item.
type dicomReader struct {
	b        *builder
	in       *bufio.Reader
	work     *budget
	order    binary.ByteOrder
	implicit bool
	charset  *encoding.Decoder // nil for UTF-8 and ASCII

	at, end int64 // bytes of elements that were read, and where the last sequence ends
	open    int   // sequences and items without a length that have not ended

	syntax       string
	id, issuer   string // of the patient
	code, scheme string // of the current item
}

// isDICOM looks for the prefix after the preamble of 128 bytes.
func isDICOM(head []byte) strength {
	if len(head) >= dicomPreamble && string(head[dicomPreamble-4:dicomPreamble]) == "DICM" {
		return signature
	}
	return unlike
}

func readDICOM(in *input, b *builder) error {
	d := &dicomReader{b: b, in: in.Reader, work: in.work, order: binary.LittleEndian}
	err := d.run()
	d.flushPatient()
	if err == io.EOF {
		return nil
	}
	return err
}

func (d *dicomReader) run() error {
	if _, err := d.in.Discard(dicomPreamble); err != nil {
		return errDICOM
	}
	// The file meta group is always explicit VR little endian.
	for {
		head, err := d.in.Peek(2)
		if err != nil || binary.LittleEndian.Uint16(head) != 2 {
			break
		}
		if _, err := d.element(); err != nil {
			return errDICOM
		}
	}
	switch d.syntax {
	case implicitLittleEndian:
		d.implicit = true
	case explicitBigEndian:
		d.order = binary.BigEndian
	case deflatedLittleEndian:
		inflated := newInput(flate.NewReader(&deflated{d.in, d.work}), d.work).limit(maxInflated)
		d.in = inflated.Reader
		defer func() {
			if inflated.source.more {
				d.b.partial("only the first %d MiB of the inflated elements were read for the index", maxInflated>>20)
			}
		}()
	}
	for {
		if _, err := d.in.Peek(1); err == io.EOF {
			if d.at < d.end || d.open > 0 {
				return errDICOM // a sequence is cut off between two elements
			}
			return nil
		}
		pixels, err := d.element()
		if pixels || err != nil {
			return err
		}
	}
}

// element reads one element. It reports true when the pixels begin.
func (d *dicomReader) element() (pixels bool, err error) {
	tag, vr, length, err := d.header()
	if err != nil {
		return false, errDICOM
	}
	d.work.spend(priceField)
	d.nest(tag, vr, length)
	switch {
	case tag>>16 == groupItems:
		if tag == tagItem {
			d.code, d.scheme = "", ""
		}
		return false, nil // the item's elements follow
	case tag>>16 == groupPixels:
		if length == undefinedLength || length > 64<<10 {
			if d.open > 0 || d.at < d.end {
				d.b.unread("DICOM: the pixels of a sequence end the reading")
			}
			return true, nil
		}
		return false, d.skip(length) // an icon
	case tag == tagEncrypted:
		d.b.partial("DICOM: encrypted attributes were not read")
		if length == undefinedLength {
			return false, nil
		}
		return false, d.skip(length)
	case vr == "SQ":
		return false, nil
	case length == undefinedLength:
		if vr == "UN" {
			return false, errDICOM // a sequence in another transfer syntax: not read
		}
		return false, nil // implicit VR: only sequences have no length
	case d.implicit && d.startsItem(length):
		return false, nil
	case vr == "UN" && tag>>16%2 == 0 && d.startsItem(length):
		d.b.unread("DICOM: a sequence of unknown representation was not read")
	}
	if !wantedDICOM[tag] {
		return false, d.skip(length)
	}
	value := make([]byte, min(length, maxValue))
	if _, err := io.ReadFull(d.in, value); err != nil {
		return false, errDICOM
	}
	d.at += int64(len(value))
	d.work.spend(priceFact + 3*len(value))
	d.value(tag, d.decode(value))
	return false, d.skip(length - uint32(len(value)))
}

// nest follows where sequences and items end.
func (d *dicomReader) nest(tag uint32, vr string, length uint32) {
	starts := tag == tagItem || tag>>16 != groupItems && (vr == "SQ" || d.implicit && length != undefinedLength && d.startsItem(length))
	switch {
	case tag == tagItemEnd || tag == tagSequenceEnd:
		d.open--
	case length == undefinedLength && tag>>16 != groupPixels:
		d.open++
	case starts:
		d.end = max(d.end, d.at+int64(length))
	}
}

// header reads tag, value representation ("" when implicit) and length.
func (d *dicomReader) header() (tag uint32, vr string, length uint32, err error) {
	var h [8]byte
	if _, err = io.ReadFull(d.in, h[:]); err != nil {
		return
	}
	d.at += int64(len(h))
	tag = uint32(d.order.Uint16(h[:]))<<16 | uint32(d.order.Uint16(h[2:]))
	if d.implicit || tag>>16 == groupItems {
		return tag, "", d.order.Uint32(h[4:]), nil
	}
	vr = string(h[4:6])
	switch vr {
	case "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV":
		var l [4]byte
		_, err = io.ReadFull(d.in, l[:])
		d.at += int64(len(l))
		return tag, vr, d.order.Uint32(l[:]), err
	}
	if vr[0] < 'A' || vr[0] > 'Z' || vr[1] < 'A' || vr[1] > 'Z' {
		return tag, vr, 0, errDICOM
	}
	return tag, vr, uint32(d.order.Uint16(h[6:])), nil
}

// startsItem reports whether a value of implicit representation is a sequence.
func (d *dicomReader) startsItem(length uint32) bool {
	if length < 8 {
		return false
	}
	head, err := d.in.Peek(4)
	return err == nil && uint32(d.order.Uint16(head))<<16|uint32(d.order.Uint16(head[2:])) == tagItem
}

func (d *dicomReader) skip(n uint32) error {
	if _, err := d.in.Discard(int(n)); err != nil {
		return errDICOM
	}
	d.at += int64(n)
	return nil
}

const (
	tagTransferSyntax = 0x00020010
	tagCharset        = 0x00080005
	tagCodeValue      = 0x00080100
	tagCodeScheme     = 0x00080102
	tagPatientID      = 0x00100020
	tagIssuer         = 0x00100021
	tagBirthDate      = 0x00100030
	tagOtherIDs       = 0x00101000
	tagModality       = 0x00080060
	tagModalities     = 0x00080061
	tagInstitution    = 0x00080080
	tagDepartment     = 0x00081040
	tagEncrypted      = 0x04000500 // encrypted attributes

	tagConfidentiality           = 0x00401008 // confidentiality code
	tagConfidentialityConstraint = 0x00403001 // on the patient's data
)

var (
	dicomDates = set[uint32](0x00080012, 0x00080020, 0x00080021, 0x00080022, 0x00080023, 0x0008002a, 0x0040a032, 0x0040a030, 0x0040a121, 0x0040a120,
		0x00400244, 0x00400250, 0x00400002, 0x300a0006, 0x30060008)
	dicomAuthors = set[uint32](0x00081048, 0x00081050, 0x00081060, 0x0040a075)
	dicomTitles  = set[uint32](0x00081030, 0x0008103e, 0x00420010, 0x00181030, 0x300a0003, 0x300a0002)

	wantedDICOM = union(dicomDates, dicomAuthors, dicomTitles, set[uint32](tagTransferSyntax, tagCharset, tagCodeValue, tagCodeScheme,
		tagPatientID, tagIssuer, tagBirthDate, tagOtherIDs, tagModality, tagModalities, tagInstitution, tagDepartment, tagConfidentiality, tagConfidentialityConstraint))
)

func union(sets ...map[uint32]bool) map[uint32]bool {
	m := make(map[uint32]bool)
	for _, s := range sets {
		for t := range s {
			m[t] = true
		}
	}
	return m
}

func (d *dicomReader) value(tag uint32, v string) {
	switch {
	case tag == tagTransferSyntax:
		d.syntax = v
	case tag == tagCharset:
		d.charset = dicomCharset(v)
	case tag == tagCodeValue:
		d.code = v
		d.flushCode()
	case tag == tagCodeScheme:
		d.scheme = v
		d.flushCode()
	case tag == tagPatientID:
		d.flushPatient()
		d.id = v
	case tag == tagIssuer:
		d.issuer = v
	case tag == tagOtherIDs:
		for id := range strings.SplitSeq(v, `\`) {
			d.b.patient("", id)
		}
	case tag == tagBirthDate:
		d.b.born(v)
	case tag == tagModality || tag == tagModalities:
		for m := range strings.SplitSeq(v, `\`) {
			if m = kindPart(m); m != "" {
				d.b.modality(m)
				if d.b.doc.Kind == "dicom" {
					d.b.doc.Kind += ":" + m
				}
			}
		}
	case tag == tagInstitution:
		d.b.organisation(v)
	case tag == tagDepartment:
		d.b.department(v)
	case tag == tagConfidentiality || tag == tagConfidentialityConstraint:
		for label := range strings.SplitSeq(v, `\`) {
			d.b.confidentiality(label)
		}
	case dicomDates[tag]:
		for date := range strings.SplitSeq(v, `\`) {
			d.b.date(date)
		}
	case dicomAuthors[tag]:
		for name := range strings.SplitSeq(v, `\`) {
			d.b.author(personName(name))
		}
	case dicomTitles[tag]:
		d.b.title(v)
	}
}

func (d *dicomReader) flushCode() {
	if d.code != "" && d.scheme != "" {
		d.b.code(d.scheme, d.code)
		d.code, d.scheme = "", ""
	}
}

func (d *dicomReader) flushPatient() {
	d.b.patient(d.issuer, d.id)
	d.id, d.issuer = "", ""
}

// personName turns "DOE^JANE^^DR=..." into "JANE DOE".
func personName(pn string) string {
	pn, _, _ = strings.Cut(pn, "=")
	parts := append(strings.Split(pn, "^"), "", "")
	return parts[1] + " " + parts[0]
}

// decode turns a value into text and drops its padding.
func (d *dicomReader) decode(value []byte) string {
	if d.charset != nil {
		d.work.spend(priceCharset)
		if s, err := d.charset.Bytes(value); err == nil {
			value = s
		}
	}
	return strings.Trim(strings.ToValidUTF8(string(value), ""), " \x00")
}

// dicomCharset returns the decoder of a character set of PS3.3 C.12.1.1.2, nil for an
// unknown one. Escapes between several sets are not followed. Identifiers, codes and
// dates are ASCII in all of them.
func dicomCharset(v string) *encoding.Decoder {
	for name := range strings.SplitSeq(v, `\`) {
		name = strings.TrimSpace(name)
		if e, ok := dicomCharsets[name]; ok {
			return e.NewDecoder()
		}
		if e, ok := dicomCharsets[strings.Replace(name, "ISO 2022 IR", "ISO_IR", 1)]; ok {
			return e.NewDecoder()
		}
	}
	return nil
}

var dicomCharsets = map[string]encoding.Encoding{
	"ISO_IR 100": charmap.ISO8859_1, "ISO_IR 101": charmap.ISO8859_2, "ISO_IR 109": charmap.ISO8859_3, "ISO_IR 110": charmap.ISO8859_4,
	"ISO_IR 144": charmap.ISO8859_5, "ISO_IR 127": charmap.ISO8859_6, "ISO_IR 126": charmap.ISO8859_7, "ISO_IR 138": charmap.ISO8859_8,
	"ISO_IR 148": charmap.ISO8859_9, "ISO_IR 203": charmap.ISO8859_15, "ISO_IR 166": charmap.Windows874, "ISO_IR 13": japanese.ShiftJIS,
	"GB18030": simplifiedchinese.GB18030, "GBK": simplifiedchinese.GBK, "ISO 2022 IR 149": korean.EUCKR, "ISO 2022 IR 87": japanese.ISO2022JP,
}
