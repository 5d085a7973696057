package emr

import (
	"bytes"
	"strings"
)

const (
	tagTransferSyntax = 0x00020010
	tagCharset        = 0x00080005
	tagCodeValue      = 0x00080100
	tagCodeScheme     = 0x00080102
	tagCodeMeaning    = 0x00080104
	tagLongCodeValue  = 0x00080119
	tagURNCodeValue   = 0x00080120
	tagPatientID      = 0x00100020
	tagIssuer         = 0x00100021
	tagIssuerEntity   = 0x00400032 // universal entity id, in a sequence of the issuer
	tagIssuerSequence = 0x00100024
	tagBirthDate      = 0x00100030
	tagOtherIDs       = 0x00101000
	tagModality       = 0x00080060
	tagModalities     = 0x00080061
	tagInstitution    = 0x00080080
	tagDepartment     = 0x00081040
	tagVerifyingOrg   = 0x0040a027
	tagEncrypted      = 0x04000500 // encrypted attributes

	tagConfidentiality           = 0x00401008 // confidentiality code
	tagConfidentialityConstraint = 0x00403001 // on the patient's data
)

// The elements by the facts that are taken from them, wherever they are.
var (
	dicomDates = set[uint32](0x00080012, 0x00080020, 0x00080021, 0x00080022, 0x00080023, 0x0008002a, 0x0040a032, 0x0040a030, 0x0040a121, 0x0040a120, 0x0040a13a,
		0x00400244, 0x00400250, 0x00400002, 0x00400004, 0x300a0006, 0x30060008, 0x30080250, 0x00189074, 0x00189516, 0x00189517, 0x00380020)
	dicomAuthors = set[uint32](0x00081048, 0x00081050, 0x00081060, 0x0040a075)
	dicomTitles  = set[uint32](0x00081030, 0x0008103e, 0x00420010, 0x00181030, 0x300a0003, 0x300a0002, 0x00400254, 0x00321060)

	wantedDICOM = union(dicomDates, dicomAuthors, dicomTitles, set[uint32](tagTransferSyntax, tagCharset, tagCodeValue, tagCodeScheme, tagCodeMeaning,
		tagLongCodeValue, tagURNCodeValue, tagPatientID, tagIssuer, tagIssuerEntity, tagBirthDate, tagOtherIDs, tagModality, tagModalities, tagInstitution,
		tagDepartment, tagVerifyingOrg, tagConfidentiality, tagConfidentialityConstraint))
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

// A dicomConcept is a coded concept: the elements of an item that belong together.
type dicomConcept struct{ code, scheme, meaning string }

// value takes an element of a data set.
func (d *dicomReader) value(f *dicomFrame, tag uint32, raw []byte) {
	delimiters := `\`
	if dicomAuthors[tag] {
		delimiters = `\^=`
	}
	if !isASCII(raw) {
		d.work.spend(priceCharset + priceEscape*bytes.Count(raw, []byte{0x1b}))
	}
	d.work.spend(priceER7 * bytes.Count(raw, []byte{'\\'}))
	v := strings.Trim(d.charset.text(raw, delimiters), " \x00")
	switch {
	case tag == tagTransferSyntax:
		d.syntax = v
	case tag == tagCharset:
		d.work.spend(priceCharset)
		d.charset = newCharset(strings.Split(v, `\`))
	case tag == tagCodeValue, tag == tagLongCodeValue, tag == tagURNCodeValue:
		f.concept.code = v
	case tag == tagCodeScheme:
		f.concept.scheme = v
	case tag == tagCodeMeaning:
		f.concept.meaning = v
	case tag == tagPatientID:
		d.flushPatient(f)
		f.patientID = v
	case tag == tagIssuer:
		f.patientIssuer[0] = v
	case tag == tagIssuerEntity:
		if f.tag == tagIssuerSequence && len(d.frames) > 2 { // of the patient around it
			d.frames[len(d.frames)-3].patientIssuer[1] = v
		}
	case tag == tagOtherIDs:
		for id := range strings.SplitSeq(v, `\`) {
			d.b.patient("", id)
		}
	case tag == tagBirthDate:
		d.b.born(dicomDate(v))
	case tag == tagModality || tag == tagModalities:
		for m := range strings.SplitSeq(v, `\`) {
			if m = kindPart(m); m != "" {
				d.b.modality(m)
				if d.b.doc.Kind == "dicom" {
					d.b.doc.Kind += ":" + m
				}
			}
		}
	case tag == tagInstitution || tag == tagVerifyingOrg:
		d.b.organisation(v)
	case tag == tagDepartment:
		d.b.department(v)
	case tag == tagConfidentiality || tag == tagConfidentialityConstraint:
		for label := range strings.SplitSeq(v, `\`) {
			d.b.confidentiality(label)
		}
	case dicomDates[tag]:
		for date := range strings.SplitSeq(v, `\`) {
			d.b.date(dicomDate(date))
		}
	case dicomAuthors[tag]:
		for name := range strings.SplitSeq(v, `\`) {
			for n, group := range strings.Split(name, "=") {
				d.b.author(personName(group, n > 0))
			}
		}
	case dicomTitles[tag]:
		d.b.title(v)
	}
}

// dicomDate returns a date as DICOM writes it. ACR-NEMA wrote 2025.03.02.
func dicomDate(s string) string {
	if s = strings.TrimSpace(s); len(s) == 10 && s[4] == '.' && s[7] == '.' {
		return s[:4] + s[5:7] + s[8:]
	}
	return s
}

// flush takes what belonged together in a frame that ends.
func (d *dicomReader) flush(f *dicomFrame) {
	d.flushPatient(f)
	if f.concept.code != "" {
		d.b.code(f.concept.scheme, f.concept.code)
		d.b.words(f.concept.meaning)
	}
}

func (d *dicomReader) flushPatient(f *dicomFrame) {
	if f.patientID == "" {
		return
	}
	d.b.patient(f.patientIssuer[0], f.patientID)
	if f.patientIssuer[1] != "" {
		d.b.patient(f.patientIssuer[1], f.patientID)
	}
	f.patientID, f.patientIssuer = "", [2]string{}
}

// personName turns a group of a name, such as "DOE^JANE^^DR", into "JANE DOE". In the
// ideographic and the phonetic group the family comes first.
func personName(group string, familyFirst bool) string {
	family, rest, _ := strings.Cut(group, "^")
	given, _, _ := strings.Cut(rest, "^")
	if familyFirst {
		return family + " " + given
	}
	return given + " " + family
}
