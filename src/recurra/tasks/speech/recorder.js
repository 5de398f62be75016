// The microphone as a WAV file, with what every browser has: samples are taken as they come, on a thread of their own.

// Begin to record; `stop()` ends it and gives the file. Fails where there is no microphone, or it is not allowed.
export async function record() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
  const context = new AudioContext(), blocks = [];
  await context.audioWorklet.addModule("/assets/speech/tap.js");
  const source = context.createMediaStreamSource(stream), tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
  tap.port.onmessage = ({ data }) => blocks.push(data);
  source.connect(tap);
  const rate = context.sampleRate;
  return {
    stop() {
      source.disconnect();
      stream.getTracks().forEach(track => track.stop());
      context.close();
      return new File([wav(blocks, rate)], "recording.wav", { type: "audio/wav" });
    },
  };
}

// Samples from -1 to 1 as a WAV file of 16 bits, one channel.
export function wav(blocks, rate) {
  const length = blocks.reduce((sum, block) => sum + block.length, 0), view = new DataView(new ArrayBuffer(44 + 2 * length));
  const text = (at, letters) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * length, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, 2 * length, true);
  let at = 44;
  for (const block of blocks) for (const sample of block) {
    view.setInt16(at, Math.round(32767 * Math.max(-1, Math.min(1, sample))), true);
    at += 2;
  }
  return view.buffer;
}
