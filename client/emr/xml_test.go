package emr

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
)

// xmlLog writes down what it receives.
type xmlLog struct{ strings.Builder }

func (l *xmlLog) start(e xml.StartElement) error {
	fmt.Fprintf(l, "<%s", e.Name.Local)
	for _, a := range e.Attr {
		fmt.Fprintf(l, " %s=%q", a.Name.Local, strings.Join(strings.Fields(a.Value), " "))
	}
	l.WriteString(">")
	return nil
}

func (l *xmlLog) text(s string) { l.WriteString(strings.Join(strings.Fields(s), "")) }
func (l *xmlLog) end()          { l.WriteString("</>") }

// What encoding/xml lets pass: a declaration that starts with no capital letter, a colon
// in the target of an instruction, and an XML declaration that is not the first thing or
// gives no version.
var (
	oddDeclaration = regexp.MustCompile(`<![^A-Z\[-]|<\?[^\s?]*:`)
	xmlDeclaration = regexp.MustCompile(`^<\?xml\s+version=("1\.[01]"|'1\.[01]')\s*\?>`)
)

// The scanner takes what encoding/xml takes, and reads the same.
func FuzzXMLScanner(f *testing.F) {
	for _, s := range []string{strings.Replace(cda, "\xf6", "o", 1), `<a:b xmlns:a="c" d='&lt;"&#x41;'><!-- - --><![CDATA[<x>]]]]></a:b>`, `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "<c>">]><a/>`, `<?xml version="]?>`,
		`<a>&nbsp;é</a>`, `<a b=c/>`, `<a></b>`, `<a b="<"/>`, `<a`, "<a>\x00</a>", `<a>]]></a>`, `<a><!-- -- --></a>`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > maxValue || strings.Contains(text, "encoding") {
			return // texts that are cut, and charsets
		}
		var got, want xmlLog
		s := &xmlScanner{in: bufio.NewReaderSize(strings.NewReader(text), 2*maxValue), work: newBudget(t.Context().Err, baseWork), events: &got}
		err := s.run()
		d := xml.NewDecoder(strings.NewReader(text))
		d.Entity = xml.HTMLEntity
		wantErr := readAll(d, &want)
		switch {
		case wantErr == nil && (err != nil || got.String() != want.String()):
			if strings.Contains(xmlDeclaration.ReplaceAllString(text, ""), "<?xml") || oddDeclaration.MatchString(text) {
				return // malformed here
			}
			t.Errorf("%v: %q\nwant %q", err, got.String(), want.String())
		case wantErr != nil && err == nil:
			for _, mild := range []string{"]]>", "version", "illegal character", "invalid UTF-8", "invalid XML name", "expected element name", "expected attribute name", "character entity"} {
				if strings.Contains(wantErr.Error(), mild) {
					return
				}
			}
			t.Errorf("no error, want %v", wantErr)
		}
	})
}

func readAll(d *xml.Decoder, to *xmlLog) error {
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			to.start(token)
		case xml.EndElement:
			to.end()
		case xml.CharData:
			to.text(string(token))
		}
	}
}
