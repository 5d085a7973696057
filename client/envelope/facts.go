package envelope

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"io"
	"sync"
)

// dictionary is the preset dictionary of DEFLATE for the facts of format 2, so that names
// in them cost a few bits. It is part of the format: with another one, stored facts
// cannot be read. The most frequent texts come last, where references are shortest.
const dictionary = `MedicationRequestDiagnosticReportDocumentReferenceImmunizationProcedureEncounterConditionhl7v2:ORU^R01dicom:pdf` +
	`"http://hl7.org/fhir/sid/cvx","http://hl7.org/fhir/sid/icd-10-cm","http://www.nlm.nih.gov/research/umls/rxnorm",` +
	`"http://terminology.hl7.org/CodeSystem/icd10","snomed","loinc","` +
	`{"Kind":"text","Titles":["{"Kind":"fhir:Observation","Patients":[{"Value":"{"System":"urn:oid:2.16.840.1.113883.6.1","Value":""}],` +
	`"Codes":[{"System":"http://snomed.info/sct","Code":""},{"System":"http://loinc.org","Code":""}],` +
	`"Dates":[{"Year":20,"Month":1,"Day":1}],"Born":[{"Year":19,"Month":"Authors":["Dr. "],"Organisations":[""],"Modalities":["CT"],` +
	`"Titles":[""],"Keywords":["","`

// maxFacts bounds the unpacked size of facts. Otherwise a few bytes could fill the memory
// of a reader. Without repetitions, facts that fit into an envelope are far smaller.
const maxFacts = 4 << 20

// packFacts encodes facts for the JSON of an envelope: their own JSON in raw DEFLATE
// (RFC 1951), in base64.
func packFacts(facts []byte) (json.RawMessage, error) {
	if len(facts) > maxFacts {
		return nil, errLong
	}
	var b bytes.Buffer
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&b)
	if _, err := w.Write(facts); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return json.Marshal(b.Bytes())
}

// packers are reused: a new one takes longer to set up than to pack the facts of a small
// record.
var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriterDict(nil, flate.BestCompression, []byte(dictionary))
	if err != nil {
		panic("envelope: " + err.Error()) // the level is a constant
	}
	return w
}}

// unpackFacts decodes the result of [packFacts], or facts of format 1, which have no
// dictionary.
func unpackFacts(text json.RawMessage, format int) (json.RawMessage, error) {
	var packed []byte
	if err := json.Unmarshal(text, &packed); err != nil {
		return nil, tampered("envelope does not hold what it should: %v", err)
	}
	var before []byte
	if format > 1 {
		before = []byte(dictionary)
	}
	rest := bytes.NewReader(packed) // an io.ByteReader, so that nothing after the end is taken
	r := flate.NewReaderDict(rest, before)
	defer r.Close()
	facts, err := io.ReadAll(io.LimitReader(r, maxFacts+1))
	switch {
	case err != nil:
		return nil, tampered("envelope's facts cannot be unpacked: %v", err)
	case len(facts) > maxFacts:
		return nil, tampered("envelope's facts unpack to more than %d bytes", maxFacts)
	case rest.Len() > 0:
		return nil, tampered("envelope's facts are followed by more data")
	}
	return facts, nil
}
