package network

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
)

// A caClient speaks the Fabric CA's REST protocol. The CA's own client program would cost
// a process for each of the seventy or so certificates of a network.
type caClient struct {
	url  string
	root string // file
}

func (n *Network) caClient(org string) *caClient {
	return &caClient{url: n.caURL(org), root: n.caRoot(org)}
}

// A keyPair is a certificate and its PKCS#8 key, both PEM.
type keyPair struct{ cert, key []byte }

// write stores the pair as PREFIXcert.pem and PREFIXkey.pem. The certificate comes last:
// where it is, all is.
func (k keyPair) write(dir, prefix string) error {
	if err := writeFile(filepath.Join(dir, prefix+"key.pem"), k.key); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, prefix+"cert.pem"), k.cert)
}

func readKeyPair(dir, prefix string) (k keyPair, err error) {
	if k.cert, err = os.ReadFile(filepath.Join(dir, prefix+"cert.pem")); err == nil {
		k.key, err = os.ReadFile(filepath.Join(dir, prefix+"key.pem"))
	}
	return k, err
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// info asks whether the server answers.
func (c *caClient) info(ctx context.Context) error {
	return c.call(ctx, "cainfo", object{"caname": "ca"}, nil, nil)
}

// enroll makes a key here and has its certificate signed by the named CA. The hosts, if
// any, become the certificate's names.
func (c *caClient) enroll(ctx context.Context, id, password, ca, profile string, hosts ...string) (keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, err
	}
	request := &x509.CertificateRequest{Subject: pkix.Name{CommonName: id}}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			request.IPAddresses = append(request.IPAddresses, ip)
		} else {
			request.DNSNames = append(request.DNSNames, h)
		}
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, request, key)
	if err != nil {
		return keyPair{}, err
	}
	body := object{
		"certificate_request": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})),
		"caname":              ca, "profile": profile, "hosts": hosts,
	}
	var result struct{ Cert []byte }
	login := func(r *http.Request, _ []byte) error { r.SetBasicAuth(id, password); return nil }
	if err := c.call(ctx, "enroll", body, login, &result); err != nil {
		return keyPair{}, fmt.Errorf("enrol %s at %s: %w", id, ca, err)
	}
	keyPEM, err := encodeKey(key)
	return keyPair{cert: result.Cert, key: keyPEM}, err
}

// register tells the CA of a new identity, which may enrol as often as said with the
// secret that is returned.
func (c *caClient) register(ctx context.Context, registrar keyPair, id, kind string, attributes map[string]string, enrolments int) (string, error) {
	var attrs []object
	for _, name := range sortedKeys(attributes) {
		attrs = append(attrs, object{"name": name, "value": attributes[name], "ecert": true})
	}
	body := object{"id": id, "type": kind, "secret": secret(), "max_enrollments": enrolments, "attrs": attrs, "caname": "ca"}
	if err := c.call(ctx, "register", body, registrar.sign, nil); err != nil {
		return "", fmt.Errorf("register %s: %w", id, err)
	}
	return body["secret"].(string), nil
}

// sign authorises a request to the CA.
func (k keyPair) sign(r *http.Request, body []byte) error {
	token, err := k.token(r.Method, r.URL.RequestURI(), body)
	r.Header.Set("Authorization", token)
	return err
}

// token signs a request as Fabric CA wants it: the certificate and an ECDSA signature,
// with the lower of its two values of s, over method, URI, body and certificate.
func (k keyPair) token(method, uri string, body []byte) (string, error) {
	block, _ := pem.Decode(k.key)
	if block == nil {
		return "", fmt.Errorf("registrar's key is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return "", fmt.Errorf("registrar's key is no ECDSA key")
	}
	b64 := base64.StdEncoding.EncodeToString
	cert := b64(k.cert)
	digest := sha256.Sum256([]byte(method + "." + b64([]byte(uri)) + "." + b64(body) + "." + cert))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		return "", err
	}
	if order := key.Params().N; s.Cmp(new(big.Int).Rsh(order, 1)) > 0 {
		s.Sub(order, s)
	}
	signature, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	return cert + "." + b64(signature), err
}

// call makes one request and decodes its result.
func (c *caClient) call(ctx context.Context, endpoint string, body any, authorise func(*http.Request, []byte) error, result any) error {
	config, err := clientTLS(c.root, "", "")
	if err != nil {
		return err
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/api/v1/"+endpoint, bytes.NewReader(data))
	if err != nil {
		return err
	}
	if authorise != nil {
		if err := authorise(req, data); err != nil {
			return err
		}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	var envelope struct {
		Success bool
		Result  json.RawMessage
		Errors  []struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return fmt.Errorf("%s: %s: %.200s", endpoint, resp.Status, text)
	}
	if !envelope.Success {
		if len(envelope.Errors) > 0 {
			return fmt.Errorf("%s: %s (code %d)", endpoint, envelope.Errors[0].Message, envelope.Errors[0].Code)
		}
		return fmt.Errorf("%s: %s", endpoint, resp.Status)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(envelope.Result, result)
}
