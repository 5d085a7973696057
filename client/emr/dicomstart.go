package emr

import "encoding/binary"

const (
	dicomPreamble   = 128
	undefinedLength = 0xffffffff
	groupItems      = 0xfffe
	groupPixels     = 0x7fe0
	tagItem         = 0xfffee000
	tagItemEnd      = 0xfffee00d
	tagSequenceEnd  = 0xfffee0dd
)

// isLongVR recognises the value representations with a length of four bytes, isShortVR
// those with one of two (PS3.5 7.1.2).
func isLongVR(vr string) bool {
	switch vr {
	case "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV":
		return true
	}
	return false
}

func isShortVR(vr string) bool {
	switch vr {
	case "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US":
		return true
	}
	return false
}

func isVR(vr string) bool {
	return len(vr) == 2 && vr[0] >= 'A' && vr[0] <= 'Z' && vr[1] >= 'A' && vr[1] <= 'Z'
}

func dicomTag(head []byte, order binary.ByteOrder) uint32 {
	return uint32(order.Uint16(head))<<16 | uint32(order.Uint16(head[2:]))
}

// isDICOM looks for the prefix after the preamble of 128 bytes, or for the elements that
// a file without it begins with.
func isDICOM(head []byte) strength {
	if _, ok := dicomStart(head); ok {
		return signature
	}
	return unlike
}

// dicomStart returns where the elements of a file begin.
func dicomStart(head []byte) (int, bool) {
	for _, prefix := range []int{dicomPreamble, 0} {
		if len(head) >= prefix+4 && string(head[prefix:prefix+4]) == "DICM" {
			return prefix + 4, true
		}
	}
	for _, at := range []int{0, dicomPreamble} {
		if len(head) < at+16 {
			break
		}
		if group := binary.LittleEndian.Uint16(head[at:]); group == 2 && isShortVR(string(head[at+4:at+6])) {
			return at, true
		}
		if _, _, ok := dataSetStart(head[at:]); ok {
			return at, true
		}
	}
	return 0, false
}

// dataSetStart finds out how the elements of group 0008 at the start of a data set are
// written. Two of them must follow each other, or the record must end after one.
func dataSetStart(head []byte) (implicit bool, order binary.ByteOrder, ok bool) {
	if len(head) < 8 {
		return false, nil, false
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		tag := dicomTag(head, order)
		if tag>>16 != 8 && tag>>16 != 4 {
			continue
		}
		vr := string(head[4:6])
		for _, implicit := range []bool{!isLongVR(vr) && !isShortVR(vr), false, true} {
			size, length := 8, uint64(order.Uint32(head[4:]))
			switch {
			case implicit:
			case isLongVR(vr) && len(head) >= 12:
				size, length = 12, uint64(order.Uint32(head[8:]))
			default:
				length = uint64(order.Uint16(head[6:]))
			}
			if !implicit && !isVR(vr) {
				continue
			}
			if isLongVR(vr) && !implicit && length == undefinedLength {
				return false, order, true
			}
			next := uint64(size) + length
			if next == uint64(len(head)) && next < headSize {
				return implicit, order, true
			}
			if next+8 > uint64(len(head)) {
				continue
			}
			following := dicomTag(head[next:], order)
			if following > tag && following>>16 < 0x100 && (implicit || isVR(string(head[next+4:next+6]))) {
				return implicit, order, true
			}
		}
	}
	return false, nil, false
}

// itemIsImplicit finds out how the elements of an item are written, by the first of them.
// The sequence says how they should be.
func itemIsImplicit(head []byte, sequence *dicomFrame, room int64) bool {
	vr := string(head[4:6])
	length := sequence.order.Uint32(head[4:])
	if dicomTag(head, sequence.order)>>16 == groupItems {
		return sequence.implicit
	}
	if sequence.implicit {
		return !(isLongVR(vr) || isShortVR(vr)) || length != undefinedLength && int64(length)+8 <= room && length <= 64<<10
	}
	return !isVR(vr) && (length == undefinedLength || int64(length)+8 <= room)
}
