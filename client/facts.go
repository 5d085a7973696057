package client

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
)

// givenFacts reads the facts that the caller states for every record. A keyword is a
// plain word or phrase, or names a field as a query does: icd10:I21.4, snomed:..., any
// other code system, code:SYSTEM|X, refuted:icd10:..., date:2019-03-14, born:...,
// patient:ID, author:..., org:..., modality:....
func givenFacts(kind, patient string, keywords []string) (index.Facts, error) {
	f := index.Facts{Kind: kind}
	for what, text := range map[string]string{"kind": kind, "patient identifier": patient} {
		if err := checkWords(what, text); err != nil {
			return f, err
		}
	}
	if patient != "" {
		f.Patients = append(f.Patients, identifier(patient))
	}
	for _, k := range keywords {
		if k = strings.TrimSpace(k); k == "" {
			return f, ledger.Errorf(ErrInvalid, "a keyword is empty")
		}
		if err := checkWords("keyword", k); err != nil {
			return f, err
		}
		field, value, found := strings.Cut(k, ":")
		value = strings.TrimSpace(value)
		if !found || value == "" {
			f.Keywords = append(f.Keywords, k)
			continue
		}
		switch field = strings.ToLower(field); field {
		case "code":
			system, code, found := strings.Cut(value, "|")
			if !found {
				system, code = "", value
			}
			f.Codes = append(f.Codes, index.Code{System: system, Code: code})
		case "date", "born":
			d, ok := index.ParseDate(value)
			if !ok {
				return f, ledger.Errorf(ErrInvalid, "keyword %q: %q is not a date such as 2019-03-14", k, value)
			}
			if field == "born" {
				f.Born = append(f.Born, d)
			} else {
				f.Dates = append(f.Dates, d)
			}
		case "patient":
			f.Patients = append(f.Patients, identifier(value))
		case "author":
			f.Authors = append(f.Authors, value)
		case "org":
			f.Organisations = append(f.Organisations, value)
		case "modality":
			f.Modalities = append(f.Modalities, value)
		case "word":
			f.Keywords = append(f.Keywords, value)
		default:
			f.AddKeyword(k)
		}
	}
	return f, nil
}

// maxWords is the greatest size in bytes of a keyword, kind or identifier. The query
// language refuses longer ones.
const maxWords = 1024

// checkWords refuses text that no query can contain.
func checkWords(what, text string) error {
	switch {
	case len(text) > maxWords:
		return ledger.Errorf(ErrInvalid, "%s of %d bytes is longer than %d: %.32q...", what, len(text), maxWords, text)
	case !utf8.ValidString(text):
		return ledger.Errorf(ErrInvalid, "%s %q is not UTF-8", what, text)
	case strings.ContainsFunc(text, unicode.IsControl):
		return ledger.Errorf(ErrInvalid, "%s %q has a control character", what, text)
	}
	return nil
}

// identifier reads ID or SYSTEM|ID.
func identifier(text string) index.Identifier {
	if system, value, found := strings.Cut(text, "|"); found {
		return index.Identifier{System: system, Value: value}
	}
	return index.Identifier{Value: text}
}

// mergeFacts joins the facts that the caller states with those found in the record, in
// this order.
func mergeFacts(given, found index.Facts) index.Facts { return given.Join(found) }

// metadata is the part of an envelope that describes the record.
func metadata(f index.Facts) (envelope.Metadata, error) {
	m := envelope.Metadata{Kind: f.Kind}
	if len(f.Patients) > 0 {
		m.Patient = f.Patients[0].Value
	}
	describe(&m, f)
	var err error
	m.Facts, err = json.Marshal(f)
	return m, err
}

// describe sets the metadata's dates, codes and keywords from facts.
func describe(m *envelope.Metadata, f index.Facts) {
	m.Dates, m.Codes = nil, nil
	for _, d := range f.Dates {
		m.Dates = append(m.Dates, d.String())
	}
	slices.Sort(m.Dates)
	m.Dates = slices.Compact(m.Dates)
	for _, s := range f.AllStatements() {
		for _, i := range s.Codes {
			code := index.Prefix(f.Codes[i].System) + ":" + f.Codes[i].Code
			if !s.Context.Plain() {
				code = string(s.Context) + ":" + code
			}
			m.Codes = append(m.Codes, code)
		}
	}
	slices.Sort(m.Codes)
	m.Codes = slices.Compact(m.Codes)
	m.Keywords = slices.Concat(f.Keywords, f.Titles)
}

// describedFacts rebuilds facts from the metadata of an envelope that has none.
func describedFacts(m *envelope.Metadata) index.Facts {
	f := index.Facts{Kind: m.Kind, Keywords: m.Keywords}
	if m.Patient != "" {
		f.Patients = []index.Identifier{identifier(m.Patient)}
	}
	for _, text := range m.Dates {
		if d, ok := index.ParseDate(text); ok {
			f.Dates = append(f.Dates, d)
		}
	}
	for _, code := range m.Codes {
		f.AddKeyword(code)
	}
	return f
}
