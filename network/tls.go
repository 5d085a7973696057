package network

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
)

// adminTLS makes the TLS settings of this program towards the administration ports of an
// organisation's servers. No other certificate is accepted there.
func (n *Network) adminTLS(org string) (*tls.Config, error) {
	dir := n.administration(org)
	config, err := clientTLS(n.tlsRoot(org), dir+"/client-cert.pem", dir+"/client-key.pem")
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("the network in %s was made by an earlier release: run chartnet up once", n.dir)
	}
	return config, err
}

// personTLS makes the TLS settings of an organisation's administrator as a person.
func (n *Network) personTLS(org string) (*tls.Config, error) {
	dir := n.userDir("admin", org)
	return clientTLS(n.tlsRoot(org), dir+"/tls-cert.pem", dir+"/tls-key.pem")
}

// asPerson is the holder of that certificate.
func asPerson(org string) string { return "admin@" + org }

// clientTLS trusts one root file and shows a certificate, if one is named.
func clientTLS(rootFile, certFile, keyFile string) (*tls.Config, error) {
	pem, err := os.ReadFile(rootFile)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", rootFile)
	}
	if certFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// dialTLS makes sure that a TLS handshake with a server succeeds.
func (n *Network) dialTLS(ctx context.Context, address string, config *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, n.probeTimeout())
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// fetch makes one request and gives the body of a 2xx response.
func fetch(req *http.Request, transport *http.Transport) ([]byte, error) {
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s: %.200s", req.Method, req.URL.Path, resp.Status, body)
	}
	return body, nil
}

// overTLS makes the transport of one request.
func overTLS(config *tls.Config) *http.Transport {
	return &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
}

// probe makes one request to an administration port of an organisation.
func (n *Network) probe(ctx context.Context, org, method, url string) ([]byte, error) {
	config, err := n.adminTLS(org)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, n.probeTimeout())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	return fetch(req, overTLS(config))
}
