package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/hyperledger/fabric-contract-api-go/v2/metadata"
	"github.com/hyperledger/fabric-contract-api-go/v2/serializer"
)

// strict reads arguments and writes results. contractapi's own serializer is laxer: it
// drops unknown fields of structs in a slice, checks the schema of such structs after Go
// has filled in missing fields, and gives no text for a nil slice.
type strict struct{ plain serializer.JSONSerializer }

// FromString reads one argument. It catches panics, since contractapi calls it on a
// goroutine of its own, where a panic would end the server.
func (s strict) FromString(text string, t reflect.Type, param *metadata.ParameterMetadata, components *metadata.ComponentMetadata) (v reflect.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = reflect.Value{}, errors.New("malformed")
		}
	}()
	switch t.Kind() {
	case reflect.Struct, reflect.Slice:
	default: // a text or a number, whose Go type is its whole schema
		return s.plain.FromString(text, t, nil, nil)
	}
	if !json.Valid([]byte(text)) {
		return reflect.Value{}, errors.New("not JSON")
	}
	if _, err := s.plain.FromString(text, untyped(t), param, components); err != nil {
		return reflect.Value{}, err
	}
	out := reflect.New(t)
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(out.Interface()); err != nil {
		return reflect.Value{}, fmt.Errorf("does not fit: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return reflect.Value{}, errors.New("more than one JSON value")
	}
	return out.Elem(), nil
}

// untyped gives a type that keeps the objects of a list as they were sent, for the
// schema.
func untyped(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct {
		return reflect.TypeFor[[]map[string]any]()
	}
	return t
}

// ToString writes a result as JSON. A nil slice is an empty list. Go's types are the
// schema, so it needs no check.
func (s strict) ToString(v reflect.Value, t reflect.Type, _ *metadata.ReturnMetadata, components *metadata.ComponentMetadata) (string, error) {
	switch t.Kind() {
	case reflect.Slice:
		if v.IsNil() {
			return "[]", nil
		}
	case reflect.Struct:
	default:
		return s.plain.ToString(v, t, nil, components)
	}
	text, err := json.Marshal(v.Interface())
	return string(text), err
}
