package importer_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/client/importer"
)

// xdmLabel is the metadata of one document.
func xdmLabel(code string) string {
	return `<SubmitObjectsRequest xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"><RegistryObjectList xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"><ExtrinsicObject id="d">` +
		`<Classification classificationScheme="urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f" classifiedObject="d" nodeRepresentation="` + code + `">` +
		`<Slot name="codingScheme"><ValueList><Value>2.16.840.1.113883.5.25</Value></ValueList></Slot></Classification></ExtrinsicObject></RegistryObjectList></SubmitObjectsRequest>`
}

// zipped makes an archive of names and contents.
func zipped(t *testing.T, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		check(t, err)
		_, err = w.Write([]byte(files[i+1]))
		check(t, err)
	}
	check(t, z.Close())
	return b.String()
}

func tarred(t *testing.T, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		check(t, w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o600, Size: int64(len(files[i+1]))}))
		_, err := w.Write([]byte(files[i+1]))
		check(t, err)
	}
	check(t, w.Close())
	return b.String()
}

// What the metadata of an XDM medium says holds for its files: in an archive, in archives
// in it, on a disk, and for the records into which they are split.
func TestMediaLabelTheirFiles(t *testing.T) {
	const doc, metadata, note = "IHE_XDM/SUBSET01/DOC0001.XML", "IHE_XDM/SUBSET01/METADATA.XML", "A note."
	cda := cdaRecord("", "")
	bundle := `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Basic"}}]}`
	batch := "BHS|^~\\&|A\rMSH|^~\\&|A|B|C|D|20200101||ADT^A01|1|P|2.9\rPID|1||7^^^H\rBTS|1\r"
	cut := tarred(t, doc, cda, metadata, xdmLabel("V")) // it ends within the metadata
	files := map[string]string{
		"ZIP.zip":               zipped(t, doc, cda, metadata, xdmLabel("V"), "README.TXT", note, "IHE_XDM/SUBSET02/x.txt", note),
		"tar":                   tarred(t, doc, cda, metadata, xdmLabel("V")),
		"split":                 zipped(t, "IHE_XDM/S/b.json", bundle, "IHE_XDM/S/b.hl7", batch, "IHE_XDM/S/b.ndjson", bundle+"\n"+bundle, "IHE_XDM/S/metadata.xml", xdmLabel("V")),
		"in each other.zip":     zipped(t, "IHE_XDM/S/docs.zip", zipped(t, "a/doc.xml", cda), metadata, xdmLabel("V")),
		"in a folder":           zipped(t, "p/1/"+doc, cda, "p/1/"+metadata, xdmLabel("V"), "p/2/"+doc, cda, "p/2/"+metadata, xdmLabel("N")),
		"elsewhere":             zipped(t, "a/doc.xml", cda, "a/b/doc.xml", cda, "a/METADATA.XML", xdmLabel("V")),
		"disk/" + doc:           cda,
		"disk/" + metadata:      xdmLabel("V"),
		"disk/INDEX.HTM":        "<html><body>A note</body></html>",
		"stricter/" + doc:       cdaRecord(cdaLabel, ""),
		"stricter/" + metadata:  xdmLabel("N"),
		"unknown":               zipped(t, doc, cda, metadata, xdmLabel("1.3.6.1.4.1.21367.2006.7.101")),
		"no label":              zipped(t, doc, cda, metadata, strings.ReplaceAll(xdmLabel("V"), "Classification", "Klassification")),
		"damaged":               zipped(t, doc, cda, metadata, strings.Replace(xdmLabel("V"), "<RegistryObjectList", "<RegistryObjectLis", 1)),
		"another root":          zipped(t, doc, cda, metadata, strings.ReplaceAll(xdmLabel("V"), "SubmitObjectsRequest", "SubmitObjectRequest")),
		"twice":                 zipped(t, doc, cda, metadata, xdmLabel("N"), metadata, xdmLabel("V")),
		"leaves":                zipped(t, doc, cda, "../METADATA.XML", xdmLabel("V")),
		"cut off":               cut[:len(cut)-2400],
		"of another format.zip": zipped(t, "doc.xml", cda, "metadata.xml", "<project><name>x</name></project>"),
		"another/doc.xml":       cda,
		"another/metadata.xml":  "<project><name>x</name></project>",
	}
	seen := make(map[string]importer.Row)
	planJob(t, &importer.Job{Split: true, Report: func(r importer.Row) error {
		seen[fmt.Sprintf("%s#%d", r.File, r.Part)] = r
		return nil
	}}, labelRules, files)
	const very, all = "very restricted", "everybody"
	for name, want := range map[string]string{
		"ZIP.zip/" + doc: very, "ZIP.zip/README.TXT": very, "ZIP.zip/IHE_XDM/SUBSET02/x.txt": very, "ZIP.zip/" + metadata: very, "tar/" + doc: very,
		"split/IHE_XDM/S/b.json#1": very, "split/IHE_XDM/S/b.hl7#1": very, "split/IHE_XDM/S/b.ndjson#1": very, "split/IHE_XDM/S/b.ndjson#2": very,
		"in each other.zip/IHE_XDM/S/docs.zip/a/doc.xml": very, "in a folder/p/1/" + doc: very, "in a folder/p/2/" + doc: all,
		"elsewhere/a/doc.xml": very, "elsewhere/a/b/doc.xml": very, "disk/" + doc: very, "disk/" + metadata: very, "disk/INDEX.HTM": very,
		"stricter/" + doc: very, "unknown/" + doc: "", "no label/" + doc: "", "damaged/" + doc: very, "another root/" + doc: "", "twice/" + doc: "", "leaves/" + doc: "", "cut off/" + doc: "",
		"of another format.zip/doc.xml": all, "another/doc.xml": all,
	} {
		if !strings.Contains(name, "#") {
			name += "#0"
		}
		if row := seen[name]; row.Rule != want || (want == "") != (row.Status == importer.StatusFailed) {
			t.Errorf("%s: %q by rule %q: %s", name, row.Status, row.Rule, row.Reason)
		}
	}
}

// A rule that names an archive takes the files in it, at any depth.
func TestPathsOfArchivesMatch(t *testing.T) {
	rules := `
rules:
  - {name: folder, match: {path: 'psychiatry/*'}, policy: 'HospitalA:role=head'}
  - {name: archive, match: {path: '*.zip'}, policy: 'HospitalA:role=psychiatrist'}
  - {name: inner, match: {path: '**/secret.tgz'}, policy: 'HospitalA:role=psychiatrist'}
  - {name: everybody, policy: 'HospitalA:role=doctor'}
`
	files := map[string]string{
		"psychiatry/p.tar": tarred(t, "a/x.txt", "x"),
		"p.zip":            zipped(t, "a/x.txt", "x", "b.zip", zipped(t, "y.txt", "y")),
		"q.tar":            tarred(t, "secret.tgz", tarred(t, "a/x.txt", "x"), "z.txt", "z"),
	}
	taken := make(map[string]string)
	planJob(t, &importer.Job{Report: func(r importer.Row) error { taken[r.File] = r.Rule; return nil }}, rules, files)
	want := map[string]string{"psychiatry/p.tar/a/x.txt": "folder", "p.zip/a/x.txt": "archive", "p.zip/b.zip/y.txt": "archive", "q.tar/secret.tgz/a/x.txt": "inner", "q.tar/z.txt": "everybody"}
	if fmt.Sprint(taken) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", taken, want)
	}
}

// Wherever the metadata is damaged, the documents are sealed as its label asks, or not at
// all.
func TestDamagedMetadataKeepsTheLabel(t *testing.T) {
	const doc, metadata = "IHE_XDM/SUBSET01/DOC0001.XML", "IHE_XDM/SUBSET01/METADATA.XML"
	text, cda := xdmLabel("V"), cdaRecord("", "")
	files := make(map[string]string)
	for at := 0; at < len(text); at += stride(17) {
		files[fmt.Sprintf("%04d cut", at)] = zipped(t, doc, cda, metadata, text[:at])
		files[fmt.Sprintf("%04d gone", at)] = zipped(t, doc, cda, metadata, text[:at]+text[at+1:])
		if at <= strings.Index(text, `"V"`) {
			files[fmt.Sprintf("%04d lost", at)] = zipped(t, doc, cda, metadata, text[at:])
		}
		for _, c := range "x\x00\"<" {
			files[fmt.Sprintf("%04d %x", at, c)] = zipped(t, doc, cda, metadata, text[:at]+string(c)+text[at+1:])
		}
	}
	seen := 0
	planJob(t, &importer.Job{Report: func(r importer.Row) error {
		if strings.HasSuffix(r.File, doc) {
			if seen++; r.Status == importer.StatusSealed && r.Rule != "very restricted" {
				t.Errorf("%s: rule %q", r.File, r.Rule)
			}
		}
		return nil
	}}, labelRules, files)
	if seen != len(files) {
		t.Errorf("%d of %d documents", seen, len(files))
	}
}
