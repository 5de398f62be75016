// The numbers of the file. Each array stands in an element of its own, in base64, little-endian: 32-bit floats, or whole
// numbers of eight bits with a float for each column that they are multiplied by.

const data = JSON.parse(document.getElementById("data").textContent);

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text), bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

// The array of a name; its element is let go, which frees the memory of the text.
function numbersOf(name, type) {
  const element = document.getElementById("array-" + name), bytes = bytesOf(element.textContent);
  element.remove();
  return new type(bytes.buffer, bytes.byteOffset, bytes.byteLength / type.BYTES_PER_ELEMENT);
}

const vectorOf = name => numbersOf(name, Float32Array);

const isThere = name => name in data.arrays;

function matrixOf(name) {
  const { shape, int8 } = data.arrays[name];
  return new Matrix(shape, numbersOf(name, int8 ? Int8Array : Float32Array), int8 ? vectorOf(name + ".scale") : null);
}
