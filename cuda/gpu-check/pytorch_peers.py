"""Times of PyTorch's counterparts of the models that TimingCheck times: fp16, channels last, eager and compiled.

Swin and CoAtNet are the same models. HorNet, UniFormer and Conformer are in neither torchvision nor timm; for them stand
models of their size and kind.
"""
import time

import torch

PEERS = [
    ("Swin-T", "torchvision", "swin_t"),
    ("Swin-T", "timm", "swin_tiny_patch4_window7_224"),
    ("CoAtNet-0 (rw)", "timm", "coatnet_0_rw_224"),
    ("kin of HorNet-T: ConvNeXt-T", "torchvision", "convnext_tiny"),
    ("kin of UniFormer-S: MaxViT-T (rw)", "timm", "maxvit_tiny_rw_224"),
    ("kin of Conformer-S: ViT-S/16", "timm", "vit_small_patch16_224"),
]
BATCHES = (1, 8, 32, 128)


def load(library, name):
    if library == "torchvision":
        import torchvision

        return getattr(torchvision.models, name)(weights=None)
    import timm

    return timm.create_model(name, pretrained=False)


def milliseconds(model, images, runs):
    for _ in range(20):
        model(images)
    torch.cuda.synchronize()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        model(images)
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) * 1e3)
    return sorted(times)


@torch.inference_mode()
def main():
    torch.backends.cudnn.benchmark = True
    print(f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}, {torch.cuda.get_device_name()};"
      " fp16, channels last\n")
    print("| model | library | batch | how | p50 ms | p99 | images/s |\n|---|---|---:|---|---:|---:|---:|")
    for title, library, name in PEERS:
        try:
            model = load(library, name).eval().half().cuda().to(memory_format=torch.channels_last)
        except Exception as problem:  # a library or a model that is not there
            print(f"| {title} | {library} | | {problem} | | | |")
            continue
        ways = {
            "eager": lambda: model,
            "compile": lambda: torch.compile(model),
            "compile, CUDA graphs": lambda: torch.compile(model, mode="reduce-overhead"),
        }
        for way, make in ways.items():
            for batch in BATCHES:
                torch._dynamo.reset()
                images = torch.randn(batch, 3, 224, 224, device="cuda", dtype=torch.half)
                try:
                    times = milliseconds(make(), images.to(memory_format=torch.channels_last), max(20, 800 // batch))
                except Exception as problem:
                    print(f"| {title} | {library} | {batch} | {way}: {str(problem).splitlines()[0]} | | | |")
                    continue
                p50, p99 = times[len(times) // 2], times[int(0.99 * len(times))]
                print(f"| {title} | {library} | {batch} | {way} | {p50:.3f} | {p99:.3f} |"
                      f" {batch / p50 * 1e3:.0f} |", flush=True)


if __name__ == "__main__":
    main()
