package server

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Environment variables.
const (
	envAddress   = "CHAINCODE_SERVER_ADDRESS" // host:port to listen on
	envPackage   = "CORE_CHAINCODE_ID_NAME"   // id of the installed package: label:hash
	envMSP       = "CHARTSEAL_MSP"            // MSP ID of the organisation that runs this server
	envHospitals = "CHARTSEAL_HOSPITALS"      // MSP IDs of all hospitals, separated by commas
	envAmenders  = "CHARTSEAL_AMENDERS"       // optional roles that may amend other people's records, separated by commas
	envResealers = "CHARTSEAL_RESEALERS"      // optional roles that may change who opens other people's records
	envErasers   = "CHARTSEAL_ERASERS"        // optional roles that may erase records
	envPersons   = "CHARTSEAL_ERASE_PERSONS"  // optional: 2 if it takes two persons to erase a record
	envCopies    = "CHARTSEAL_COPIES"         // optional JSON of ledger.CopyRules: how many hospitals keep each payload
	envCert      = "CHAINCODE_TLS_CERT"       // certificate of this server
	envKey       = "CHAINCODE_TLS_KEY"        // key of the certificate
	envClientCAs = "CHAINCODE_TLS_CLIENT_CAS" // optional root certificates; the peer then needs a client certificate
)

// A config is the server's configuration from the environment. A TLS variable holds PEM
// or the name of a PEM file. Without a certificate the server uses plain text, and only
// on the loopback interface.
type config struct {
	address   string
	packageID string
	msp       string
	hospitals []string
	amenders  []string         // nil for the default of package contract
	resealers []string         // the same
	erasers   []string         // the same
	persons   int              // 0 for the same
	copies    ledger.CopyRules // zero for the same
	tls       *tls.Config      // nil for plain text
}

// fromEnv reads and checks the configuration. Its error lists every missing variable.
func fromEnv(getenv func(string) string) (config, error) {
	c := config{address: getenv(envAddress), packageID: getenv(envPackage), msp: getenv(envMSP)}
	c.hospitals, c.amenders = names(getenv(envHospitals)), names(getenv(envAmenders))
	c.resealers, c.erasers = names(getenv(envResealers)), names(getenv(envErasers))
	var errs []error
	switch persons := getenv(envPersons); persons {
	case "", "1", "2":
		c.persons, _ = strconv.Atoi(persons)
	default:
		errs = append(errs, fmt.Errorf("%s is %q: needs 1 or 2", envPersons, persons))
	}
	if text := getenv(envCopies); text != "" {
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		err := d.Decode(&c.copies)
		if err == nil {
			err = c.copies.Check()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", envCopies, err))
		}
	}
	need := func(name string, missing bool, what string) {
		if missing {
			errs = append(errs, fmt.Errorf("%s is not set: it is %s", name, what))
		}
	}
	need(envAddress, c.address == "", "the host:port to listen on")
	need(envPackage, c.packageID == "", "the package id of the chaincode (peer lifecycle chaincode queryinstalled)")
	need(envMSP, c.msp == "", "the MSP ID of the organisation that runs this server")
	need(envHospitals, len(c.hospitals) == 0, "the MSP IDs of all hospitals, separated by commas")

	var err error
	if c.tls, err = serverTLS(getenv(envCert), getenv(envKey), getenv(envClientCAs)); err != nil {
		errs = append(errs, err)
	}
	if c.address != "" {
		host, _, err := net.SplitHostPort(c.address)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %q is not host:port", envAddress, c.address))
		case c.tls == nil && getenv(envCert) == "" && !isLoopback(host):
			errs = append(errs, fmt.Errorf("%s and %s are not set: plain text is for loopback addresses, not for %s", envCert, envKey, c.address))
		}
	}
	return c, errors.Join(errs...)
}

// names splits a list at its commas.
func names(list string) (all []string) {
	for _, name := range strings.Split(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, name)
		}
	}
	return all
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func serverTLS(cert, key, clientCAs string) (*tls.Config, error) {
	switch {
	case cert == "" && key == "" && clientCAs == "":
		return nil, nil
	case cert == "" || key == "":
		return nil, fmt.Errorf("TLS needs both %s and %s", envCert, envKey)
	}
	certPEM, err := pemOf(envCert, cert)
	if err != nil {
		return nil, err
	}
	keyPEM, err := pemOf(envKey, key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", envCert, envKey, err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if clientCAs == "" {
		return c, nil
	}
	roots, err := pemOf(envClientCAs, clientCAs)
	if err != nil {
		return nil, err
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(roots) {
		return nil, fmt.Errorf("%s has no certificate", envClientCAs)
	}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	return c, nil
}

func pemOf(name, value string) ([]byte, error) {
	if strings.HasPrefix(value, "-----BEGIN ") {
		return []byte(value), nil
	}
	data, err := os.ReadFile(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}
