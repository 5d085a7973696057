package emr

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	htmlcharset "golang.org/x/net/html/charset"
)

// isHTML looks for the root element or the document type, after comments and an XML
// declaration.
func isHTML(head []byte) strength {
	start := trimHead(head)
	if len(start) == 0 || start[0] != '<' {
		return unlike
	}
	start = bytes.ToLower(start[:min(len(start), 1024)])
	for _, prefix := range []string{"<!doctype html", "<html>", "<html ", "<html\n", "<html\r"} {
		if bytes.HasPrefix(start, []byte(prefix)) {
			return signature
		}
	}
	if bytes.HasPrefix(start, []byte("<?xml")) || bytes.HasPrefix(start, []byte("<!--")) {
		if i := bytes.Index(start, []byte("<html")); i >= 0 && !bytes.Contains(start[:i], []byte("<clinicaldocument")) {
			return signature
		}
	}
	return unlike
}

// readHTML takes the title, the author and the dates of a page.
func readHTML(in *input, b *builder) error {
	data, err := io.ReadAll(in)
	b.findMarks(data)
	if !utf8.Valid(data[:len(data)-cutOff(data)]) {
		if e, _, _ := htmlcharset.DetermineEncoding(data, ""); e != nil {
			if s, err := e.NewDecoder().Bytes(data); err == nil {
				data = s
			}
		}
	}
	in.work.spend(4 * len(data))
	z := html.NewTokenizer(bytes.NewReader(data))
	z.SetMaxBuf(maxText)
	var text, title strings.Builder
	inTitle, hidden := false, false
	for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
		if in.work.spend(priceToken); in.work.check() != nil {
			break
		}
		switch kind {
		case html.TextToken:
			switch {
			case inTitle:
				title.Write(z.Text())
			case !hidden:
				text.Write(z.Text())
			}
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			name, more := z.TagName()
			tag := atom.Lookup(name)
			start := kind == html.StartTagToken
			switch tag {
			case atom.Title:
				inTitle = start
			case atom.Script, atom.Style, atom.Noscript, atom.Template:
				hidden = start
			case atom.Meta:
				b.htmlMeta(z, more)
			case atom.P, atom.Div, atom.Br, atom.Tr, atom.Td, atom.Th, atom.Li, atom.H1, atom.H2, atom.H3, atom.Table, atom.Body:
				text.WriteByte('\n')
			}
		}
	}
	b.title(title.String())
	b.prose(html.UnescapeString(text.String()))
	return err
}

// htmlMeta takes an element that describes the page.
func (b *builder) htmlMeta(z *html.Tokenizer, more bool) {
	var name, content string
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		b.work.spend(priceField)
		switch string(key) {
		case "name", "property":
			name = strings.ToLower(string(value))
		case "content":
			content = string(value)
		}
	}
	switch name {
	case "author", "dc.creator", "dcterms.creator":
		b.author(content)
	case "date", "dc.date", "dcterms.date", "dcterms.created":
		b.date(content)
	}
}
