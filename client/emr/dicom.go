package emr

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// Transfer syntaxes that decide how elements are written. All others write them like
// explicit VR little endian.
const (
	implicitLittleEndian = "1.2.840.10008.1.2"
	explicitBigEndian    = "1.2.840.10008.1.2.2"
	deflatedLittleEndian = "1.2.840.10008.1.2.1.99"
	deflatedReferenced   = "1.2.840.10008.1.2.4.95" // JPIP
)

// maxInflated bounds the bytes of inflated elements.
const maxInflated = 64 << 20

var errDICOM = errors.New("malformed DICOM")

// A dicomReader reads the elements of a DICOM part 10 file (PS3.10, PS3.5) as they stream
// by, and stops at the pixels.
//
// Files are read as they are, not as they should be: without a preamble or a meta group,
// in another transfer syntax than they name, with wrong value representations, with
// lengths that are too long. Each element ends at the latest where the sequence around it
// ends, and reading goes on there.
//
// A library would not do. github.com/suyashkumar/dicom, with which the tests compare it,
// keeps every element, allocates the length that an element claims, up to 4 GiB, needs
// the meta group, and gives up at the first odd element.
type dicomReader struct {
	b       *builder
	in      *bufio.Reader
	work    *budget
	charset *charset
	at      int64        // bytes of elements that were read
	frames  []dicomFrame // open data sets and sequences, the innermost last
	syntax  string
}

// A dicomFrame is an open data set, which may be an item of a sequence, or an open
// sequence.
type dicomFrame struct {
	kind     dicomFrameKind
	tag      uint32 // of the sequence
	end      int64  // where it ends at the latest
	open     bool   // a delimiter ends it
	implicit bool
	order    binary.ByteOrder

	last          uint32 // tag of the last element
	concept       dicomConcept
	patientID     string
	patientIssuer [2]string // name, and universal id
}

type dicomFrameKind int

const (
	dicomDataSet dicomFrameKind = iota
	dicomSequence
	dicomFragments // of pixels
)

func (d *dicomReader) frame() *dicomFrame { return &d.frames[len(d.frames)-1] }

// push opens a frame within the current one.
func (d *dicomReader) push(f dicomFrame) error {
	if len(d.frames) >= maxDepth {
		return errDeep
	}
	d.work.spend(priceNesting)
	d.frames = append(d.frames, f)
	return nil
}

// pop closes the innermost frame.
func (d *dicomReader) pop() {
	f := d.frame()
	d.frames = d.frames[:len(d.frames)-1]
	d.flush(f)
}

func readDICOM(in *input, b *builder) error {
	d := &dicomReader{b: b, in: in.Reader, work: in.work}
	head, _ := in.Peek(headSize)
	start, _ := dicomStart(head)
	in.Discard(start)
	err := d.run()
	for len(d.frames) > 0 {
		d.pop()
	}
	return ignoreEOF(err)
}

func (d *dicomReader) run() error {
	d.frames = append(d.frames, dicomFrame{end: math.MaxInt64, order: binary.LittleEndian})
	// The file meta group is always explicit VR little endian.
	for {
		head, err := d.in.Peek(2)
		if err != nil || binary.LittleEndian.Uint16(head) != 2 {
			break
		}
		if _, err := d.element(); err != nil {
			return err
		}
	}
	if inflated := d.chooseSyntax(); inflated != nil {
		defer func() {
			if inflated.source.more {
				d.b.partial("only the first %d MiB of the inflated elements were read for the index", maxInflated>>20)
			}
		}()
	}
	for {
		for len(d.frames) > 1 && d.at >= d.frame().end {
			d.pop()
		}
		if _, err := d.in.Peek(1); err == io.EOF {
			if len(d.frames) > 1 {
				return errDICOM // a sequence is cut off between two elements
			}
			return nil
		}
		if pixels, err := d.element(); pixels || err != nil {
			return err
		}
	}
}

// chooseSyntax finds out how the data set is written. Its first element tells, rather
// than the transfer syntax that the file names. It returns the inflated elements, if
// those of the file are deflated.
func (d *dicomReader) chooseSyntax() *input {
	f := d.frame()
	f.implicit, f.order = d.syntax == implicitLittleEndian, binary.LittleEndian
	if d.syntax == explicitBigEndian {
		f.order = binary.BigEndian
	}
	head, _ := d.in.Peek(headSize)
	implicit, order, ok := dataSetStart(head)
	named := d.syntax == deflatedLittleEndian || d.syntax == deflatedReferenced
	if !ok && hasZlibHeader(head) && inflates(head[2:]) { // which some programs write
		d.in.Discard(2)
		named = true
	}
	if !ok && (named || len(head) >= 8 && inflates(head)) {
		inflated := newInput(flate.NewReader(&deflated{d.in, d.work}), d.work).limit(maxInflated)
		d.in = inflated.Reader
		head, _ := d.in.Peek(headSize)
		if implicit, order, ok := dataSetStart(head); ok {
			f.implicit, f.order = implicit, order
		}
		return inflated
	}
	if ok {
		f.implicit, f.order = implicit, order
	}
	return nil
}

// hasZlibHeader looks for the two bytes before deflated ones that are not due in DICOM.
func hasZlibHeader(b []byte) bool {
	return len(b) > 2 && b[0]&0xf == 8 && (int(b[0])<<8|int(b[1]))%31 == 0
}

// inflates reports whether bytes inflate to the start of a data set.
func inflates(head []byte) bool {
	out := make([]byte, 64)
	n, _ := io.ReadFull(flate.NewReader(bytes.NewReader(head)), out)
	_, _, ok := dataSetStart(out[:n])
	return ok
}

// element reads one element. It reports true when the pixels begin.
func (d *dicomReader) element() (pixels bool, err error) {
	tag, vr, length, err := d.header()
	if err != nil {
		return false, errDICOM
	}
	d.work.spend(priceField)
	if tag>>16 == groupItems {
		return false, d.delimiter(tag, length)
	}
	if d.frame().kind != dicomDataSet { // an item or the end is due
		if f := d.frame(); !f.open {
			d.b.partial("DICOM: a sequence holds something else than items: the rest of it was not read")
			return false, d.skip(uint32(min(f.end-d.at, math.MaxUint32)))
		}
		for d.frame().kind != dicomDataSet {
			d.pop() // its end is missing
		}
	}
	f := d.frame()
	if tag > tagIssuerSequence {
		d.flushPatient(f) // before other identifiers
	}
	if room := f.end - d.at; length != undefinedLength && int64(length) > room {
		d.b.partial("DICOM: an element is longer than the sequence around it")
		length = uint32(max(0, room))
	}
	f.last = tag
	switch {
	case tag>>16 == groupPixels && len(d.frames) == 1 && (length == undefinedLength || length > 64<<10):
		return true, nil
	case tag == tagEncrypted:
		d.b.partial("DICOM: encrypted attributes were not read")
		if length != undefinedLength {
			return false, d.skip(length)
		}
		return false, d.sequence(dicomSequence, tag, length, f.implicit, f.order)
	case vr == "SQ":
		return false, d.sequence(dicomSequence, tag, length, f.implicit, f.order)
	case length == undefinedLength:
		if vr == "UN" { // the sequence is in implicit VR little endian (PS3.5 6.2.2)
			return false, d.sequence(dicomSequence, tag, length, true, binary.LittleEndian)
		}
		if tag>>16 == groupPixels || vr == "OB" || vr == "OW" {
			return false, d.sequence(dicomFragments, tag, length, f.implicit, f.order)
		}
		return false, d.sequence(dicomSequence, tag, length, f.implicit, f.order)
	case f.implicit && d.startsItem(length, f.order):
		return false, d.sequence(dicomSequence, tag, length, f.implicit, f.order)
	case (vr == "UN" || vr == "OB") && d.startsItem(length, binary.LittleEndian):
		return false, d.sequence(dicomSequence, tag, length, true, binary.LittleEndian)
	case !wantedDICOM[tag]:
		return false, d.skip(length)
	}
	value := make([]byte, min(length, maxValue))
	if _, err := io.ReadFull(d.in, value); err != nil {
		return false, errDICOM
	}
	d.at += int64(len(value))
	d.work.spend(priceFact + 3*len(value))
	d.value(f, tag, value)
	return false, d.skip(length - uint32(len(value)))
}

// sequence opens a sequence within the current data set.
func (d *dicomReader) sequence(kind dicomFrameKind, tag, length uint32, implicit bool, order binary.ByteOrder) error {
	end := d.frame().end
	if length != undefinedLength {
		end = min(end, d.at+int64(length))
	}
	return d.push(dicomFrame{kind: kind, tag: tag, end: end, open: length == undefinedLength, implicit: implicit, order: order})
}

// delimiter takes the start or the end of an item, or the end of a sequence. Ends of
// frames that are not open are ignored.
func (d *dicomReader) delimiter(tag, length uint32) error {
	switch tag {
	case tagItem:
		if f := d.frame(); f.kind == dicomDataSet && f.open && len(d.frames) > 1 {
			d.pop() // its end is missing
		}
		f := d.frame()
		switch {
		case f.kind == dicomFragments:
			return d.skip(uint32(min(int64(length), f.end-d.at)))
		case f.kind == dicomDataSet:
			return nil // its elements are read as if they were not in an item
		}
		end := f.end
		if length != undefinedLength {
			end = min(end, d.at+int64(length))
		}
		item := dicomFrame{tag: f.tag, end: end, open: length == undefinedLength, implicit: f.implicit, order: f.order}
		if head, _ := d.in.Peek(8); len(head) == 8 {
			item.implicit = itemIsImplicit(head, f, end-d.at)
		}
		return d.push(item)
	case tagItemEnd:
		if f := d.frame(); f.kind == dicomDataSet && f.open {
			d.pop()
		}
	case tagSequenceEnd:
		if f := d.frame(); f.kind == dicomDataSet && f.open { // the end of its last item is missing
			d.pop()
		}
		if f := d.frame(); f.kind != dicomDataSet && f.open {
			d.pop()
		}
	}
	return nil
}

// header reads tag, value representation ("" when implicit) and length.
func (d *dicomReader) header() (tag uint32, vr string, length uint32, err error) {
	var h [8]byte
	if _, err = io.ReadFull(d.in, h[:]); err != nil {
		return
	}
	d.at += int64(len(h))
	f := d.frame()
	tag = dicomTag(h[:], f.order)
	if f.implicit || tag>>16 == groupItems {
		return tag, "", f.order.Uint32(h[4:]), nil
	}
	vr = string(h[4:6])
	short, reserved := uint32(f.order.Uint16(h[6:])), f.order.Uint16(h[6:])
	switch {
	case isLongVR(vr) && (reserved == 0 || !d.fits(short, tag)):
		var l [4]byte
		_, err = io.ReadFull(d.in, l[:])
		d.at += int64(len(l))
		return tag, vr, f.order.Uint32(l[:]), err
	case isLongVR(vr) || isShortVR(vr):
		return tag, vr, short, nil
	}
	// No value representation: the element is implicit, or has an unknown one.
	if length = f.order.Uint32(h[4:]); d.fits(length, tag) || length == undefinedLength {
		return tag, "", length, nil
	}
	if d.fits(short, tag) {
		return tag, "", short, nil
	}
	if reserved == 0 {
		if l, err := d.in.Peek(4); err == nil && d.fits(f.order.Uint32(l)+4, tag) {
			d.in.Discard(4)
			d.at += 4
			return tag, "", f.order.Uint32(l), nil
		}
	}
	if isVR(vr) { // of a later edition, perhaps
		return tag, vr, short, nil
	}
	if room := f.end - d.at; len(d.frames) > 1 && room < math.MaxUint32 { // nothing is known but where the sequence ends
		d.b.partial("DICOM: an element of a sequence is malformed: the rest of it was not read")
		return tag, "", uint32(room), nil
	}
	return tag, vr, 0, errDICOM
}

// fits reports whether another element, or the end of the current frame, follows after a
// number of bytes.
func (d *dicomReader) fits(length, tag uint32) bool {
	f := d.frame()
	room := f.end - d.at
	if int64(length) > room || length > inputSize-8 {
		return false
	}
	if int64(length) == room {
		return true
	}
	head, err := d.in.Peek(int(length) + 8)
	if len(head) == int(length) {
		return err == io.EOF
	}
	if len(head) < int(length)+8 {
		return false
	}
	head = head[length:]
	next := dicomTag(head, f.order)
	return next>>16 == groupItems || next > tag && (f.implicit || isVR(string(head[4:6])) || tag>>16 == next>>16)
}

// startsItem reports whether a value is a sequence, though it does not say so: an item is
// at its start, and an element that is no longer than the item.
func (d *dicomReader) startsItem(length uint32, order binary.ByteOrder) bool {
	if length < 8 {
		return false
	}
	head, _ := d.in.Peek(min(int(length), 16))
	if len(head) < 8 || dicomTag(head, order) != tagItem {
		return false
	}
	room := int64(length) - 8
	switch item := order.Uint32(head[4:]); {
	case item == undefinedLength:
	case int64(item) > room:
		return false
	case item == 0:
		return true
	default:
		room = int64(item)
	}
	if len(head) < 16 {
		return false
	}
	first := head[8:]
	if dicomTag(first, order)>>16 == groupItems {
		return true
	}
	l := order.Uint32(first[4:])
	return isVR(string(first[4:6])) || l == undefinedLength || int64(l)+8 <= room
}

func (d *dicomReader) skip(n uint32) error {
	for n > 0 {
		part := int(min(n, 1<<30))
		if _, err := d.in.Discard(part); err != nil {
			return errDICOM
		}
		d.at += int64(part)
		n -= uint32(part)
	}
	return nil
}
